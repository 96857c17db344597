// Keys that mean something wherever the focus is, except where they are text, or already do something there.
const TEXT = ["text", "search", "number", "url", "email", "password"];
export default {
  template: "<span hidden></span>",
  props: { keys: Array, fields: Object },
  mounted() {
    document.addEventListener("keydown", this.press);
  },
  unmounted() {
    document.removeEventListener("keydown", this.press);
  },
  methods: {
    press(event) {
      const target = event.target;
      const tag = target.tagName;
      if (tag === "TEXTAREA" || tag === "SELECT" || target.isContentEditable) return;
      if (tag === "INPUT" && TEXT.includes(target.type)) return;
      const menu = target.closest("[role=menu]");
      if (menu && event.key.startsWith("Arrow")) this.walk(menu, event);
      // What is open has the keys, even before it has the focus.
      if (document.querySelector("[role=menu], [role=dialog]")) return;
      if (event.key === " " && (tag === "BUTTON" || tag === "INPUT")) return;
      if (event.key.startsWith("Arrow") && tag === "INPUT") return;
      const held = event.ctrlKey || event.metaKey ? "Ctrl+" : "";
      const shift = held && event.shiftKey ? "Shift+" : "";
      const name = held + shift + (event.key.length === 1 ? event.key.toLowerCase() : event.key);
      if (event.altKey || !this.keys.includes(name)) return;
      event.preventDefault();
      const field = document.getElementById(this.fields[name]);
      if (field) {
        // At once: what is typed next belongs there.
        field.focus();
        field.select();
        return;
      }
      this.$emit("press", name);
    },
    walk(menu, event) {
      const items = [...menu.querySelectorAll("[role=menuitem]")];
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key] ?? 0;
      const place = items.indexOf(document.activeElement);
      event.preventDefault();
      items[place < 0 ? 0 : (place + step + items.length) % items.length].focus();
    },
  },
};
