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
      if (event.key === " " && (tag === "BUTTON" || target.closest("[role=menu], [role=dialog]"))) return;
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
  },
};
