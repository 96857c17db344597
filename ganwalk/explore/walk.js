// Small pictures of a walk, side by side in one picture. It says when it comes into view and when it leaves it.
import { delivery } from "ganwalk-delivery";
export default {
  mixins: [delivery],
  emits: ["view"],
  template: `<span class="walk"><img v-if="src" :src="src" :alt="label" /></span>`,
  props: { src: String, label: String },
  mounted() {
    this.observer = new IntersectionObserver((entries) => this.send("view", entries.at(-1).isIntersecting));
    this.observer.observe(this.$el);
  },
  unmounted() {
    this.observer.disconnect();
  },
};
