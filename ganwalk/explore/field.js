// A text or a number that somebody types: sent when it is left, or with Enter.
// What was typed stays until the server has acknowledged it, whatever it says meanwhile.
import { delivery } from "ganwalk-delivery";
export default {
  mixins: [delivery],
  emits: ["commit"],
  template: `
    <q-input :model-value="text" :type="number ? 'number' : 'text'" :aria-busy="waiting" @update:model-value="edit"
      @change="commit" @clear="commit" @focusout="commit" @keydown.enter="enter" />`,
  props: { value: String, subject: Array, number: Boolean },
  data() {
    return { text: this.value, about: this.subject, edited: false };
  },
  computed: {
    theirs() {
      return [this.value, this.subject, this.acknowledged];
    },
  },
  watch: {
    theirs() {
      const other = String(this.subject) !== String(this.about);
      // It was typed about what was here before.
      if (other) this.commit();
      this.about = this.subject;
      if (other || !(this.edited || this.waiting)) this.text = this.value;
    },
  },
  methods: {
    edit(text) {
      this.text = text ?? "";
      this.edited = true;
    },
    enter(event) {
      if (this.number) this.commit();
      else event.target.blur();
    },
    commit() {
      if (!this.edited) return;
      this.edited = false;
      this.send("commit", this.text, this.about);
    },
  },
};
