"use strict";
(() => {
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const millisecondsPerPicture = 140;

  function setUpCard(card) {
    const slider = card.querySelector("input[type=range]");
    const shown = card.querySelector("output");
    const button = card.querySelector(".play");
    const verb = card.querySelector(".verb");
    const canvases = [...card.querySelectorAll("canvas")];
    const films = [...card.querySelectorAll(".frames")];
    const pictures = films.map((film) => film.querySelector("img"));
    const words = slider.dataset.words.split("|");
    let timer = 0;
    let way = 1;

    function draw(k) {
      const canvas = canvases[k];
      const { width, height } = canvas;
      const left = slider.valueAsNumber * width;
      canvas.getContext("2d").drawImage(pictures[k], left, 0, width, height, 0, 0, width, height);
    }

    function show() {
      const at = slider.valueAsNumber;
      shown.value = words[at];
      slider.setAttribute("aria-valuetext", words[at]);
      canvases.forEach((_, k) => draw(k));
      for (const film of films) {
        const marker = film.querySelector(".marker");
        marker.hidden = false;
        marker.style.left = `${(100 * at) / words.length}%`;
        marker.style.width = `${100 / words.length}%`;
      }
    }

    function pause() {
      clearInterval(timer);
      timer = 0;
      verb.textContent = "Play";
    }

    function step() {
      const at = slider.valueAsNumber;
      if (at + way < 0 || at + way >= words.length) way = -way;
      slider.valueAsNumber = at + way;
      show();
    }

    button.addEventListener("click", () => {
      if (timer) return pause();
      timer = setInterval(step, millisecondsPerPicture);
      verb.textContent = "Pause";
    });
    slider.addEventListener("input", () => {
      pause();
      show();
    });
    calm.addEventListener("change", () => {
      if (calm.matches) pause();
    });
    for (const film of films) {
      film.addEventListener("click", (event) => {
        const box = film.getBoundingClientRect();
        const at = Math.floor((words.length * (event.clientX - box.left)) / box.width);
        slider.valueAsNumber = Math.min(words.length - 1, Math.max(0, at));
        pause();
        show();
      });
    }
    card.querySelector(".scrubber").hidden = false;
    // Firefox keeps the values of sliders when a page is loaded again: what is shown follows them.
    Promise.all(pictures.map((picture) => picture.decode())).then(show);
  }

  function setUpList() {
    const tools = document.querySelector(".tools");
    const order = document.getElementById("order");
    const starred = document.getElementById("starred");
    const list = document.getElementById("cards");
    const more = document.querySelector(".more");
    const part = Number(list.dataset.part);
    const missing = Number.MAX_VALUE;
    const cards = [...list.children];
    let most = part;

    function choose() {
      return cards.filter((card) => !starred?.checked || card.dataset.starred === "1");
    }

    function show() {
      const wanted = choose();
      const shown = new Set(wanted.slice(0, most));
      for (const card of cards) {
        card.classList.toggle("later", !shown.has(card));
        // Pictures are unpacked when they are needed: a hundred directions would take a browser a while.
        if (shown.has(card) && !card.dataset.ready) {
          card.dataset.ready = "1";
          setUpCard(card);
        }
      }
      const left = wanted.length - shown.size;
      more.hidden = left === 0;
      more.querySelector("[role=status]").textContent = `${shown.size} of ${wanted.length} are shown`;
    }

    function reveal() {
      const wanted = choose();
      const place = wanted.findIndex((card) => `#${card.id}` === location.hash);
      if (place < most) return;
      most = part * Math.ceil((place + 1) / part);
      show();
      wanted[place].scrollIntoView();
    }

    order?.addEventListener("change", () => {
      const sign = Number(order.selectedOptions[0].dataset.sign);
      const key = (card) => (order.value in card.dataset ? sign * Number(card.dataset[order.value]) : missing);
      cards.sort((a, b) => key(a) - key(b));
      list.append(...cards);
      show();
    });
    starred?.addEventListener("change", show);
    more.querySelector("button").addEventListener("click", () => {
      most += part;
      show();
    });
    addEventListener("hashchange", reveal);
    show();
    // Firefox keeps what was chosen when a page is loaded again.
    order?.dispatchEvent(new Event("change"));
    reveal();
    tools.hidden = tools.children.length === 0;
  }

  setUpList();
})();
