// An amplitude: a native slider, which brings its keys and its words for screen readers.
// While it is held, and until the server has acknowledged where it was let go, it shows what the hand did.
import { delivery } from "ganwalk-delivery";
export default {
  mixins: [delivery],
  emits: ["drag", "release"],
  template: `
    <span class="slider">
      <input type="range" :min="-reach" :max="reach" step="0.1" :value="shown" :aria-label="label" :style="way"
        :aria-valuetext="words" @input="move" @change="release" @pointerup="release" @dblclick="zero" />
      <output>{{ words }}</output>
    </span>`,
  props: { value: Number, reach: Number, label: String },
  data() {
    return { shown: this.value, held: false, timer: null };
  },
  watch: {
    theirs() {
      if (!this.held && !this.waiting) this.shown = this.value;
    },
  },
  computed: {
    theirs() {
      return [this.value, this.acknowledged];
    },
    words() {
      const number = Math.round(this.shown * 100) / 100;
      return (number > 0 ? "+" : "") + String(number).replace("-", "−") + " σ";
    },
    way() {
      // What is coloured: from the middle to where the slider is.
      const share = 50 + (50 * this.shown) / this.reach;
      return { "--from": Math.min(50, share) + "%", "--to": Math.max(50, share) + "%" };
    },
  },
  methods: {
    move(event) {
      this.shown = Number(event.target.value);
      this.held = true;
      if (this.timer === null) this.tell();
    },
    tell() {
      // At once, and then at most every 40 ms.
      const told = this.shown;
      this.send("drag", told);
      this.timer = setTimeout(() => {
        this.timer = null;
        if (this.held && this.shown !== told) this.tell();
      }, 40);
    },
    release() {
      if (!this.held) return;
      clearTimeout(this.timer);
      this.timer = null;
      this.held = false;
      this.send("release", this.shown);
    },
    zero() {
      this.held = true;
      this.shown = 0;
      this.release();
    },
  },
};
