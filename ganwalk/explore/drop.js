// Takes a file: dropped anywhere on the page, or chosen. It travels in a request of its own, not over the socket.
export default {
  template: `
    <div :class="['drop', over ? 'over' : '']">
      <button type="button" class="plain" @click="$refs.file.click()">{{ label }}</button>
      <span>or drop it anywhere on this page</span>
      <input ref="file" type="file" hidden @change="choose" />
    </div>`,
  props: { label: String, place: String, largest: Number },
  emits: ["refused"],
  data() {
    return { over: false };
  },
  mounted() {
    for (const name of ["dragover", "dragleave", "drop"]) document.addEventListener(name, this[name]);
  },
  unmounted() {
    for (const name of ["dragover", "dragleave", "drop"]) document.removeEventListener(name, this[name]);
  },
  methods: {
    dragover(event) {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      this.over = true;
    },
    dragleave(event) {
      // From one element to the next is still within the page.
      if (!event.relatedTarget) this.over = false;
    },
    drop(event) {
      this.over = false;
      if (!event.dataTransfer?.files.length) return;
      event.preventDefault();
      this.send(event.dataTransfer.files);
    },
    choose(event) {
      this.send(event.target.files);
      // The same file can be chosen again.
      event.target.value = "";
    },
    async send(files) {
      const [file] = files;
      if (!file) return;
      if (files.length > 1) return this.$emit("refused", "one file at a time: drop them one after the other");
      const megabytes = this.largest / 2 ** 20;
      if (file.size > this.largest) return this.$emit("refused", `${file.name} is larger than ${megabytes} MB: give a smaller file`);
      try {
        const answer = await fetch(`${this.place}?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
        if (!answer.ok) throw new Error(answer.statusText);
      } catch (error) {
        this.$emit("refused", `${file.name} did not arrive: reload the page, and try again`);
      }
    },
  },
};
