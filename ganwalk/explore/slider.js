// An amplitude: a native slider, which brings its keys and its words for screen readers.
// While it is held, and until the server has acknowledged where it was let go, it shows what the hand did.
import { delivery } from "ganwalk-delivery";
export default {
  mixins: [delivery],
  emits: ["drag", "release"],
  template: `
    <span class="slider">
      <input type="range" :min="-reach" :max="reach" step="0.1" :value="shown" :aria-label="'Amplitude of ' + name"
        :style="way" :aria-valuetext="words" @input="move" @change="release" @pointerup="release" @dblclick="zero" />
      <label class="typed"><input type="number" :min="-reach" :max="reach" step="0.1" :value="typed ?? rounded"
        :aria-label="'Number of σ along ' + name" @input="typed = $event.target.value" @change="take" @blur="typed = null" />σ</label>
    </span>`,
  props: { value: Number, reach: Number, name: String },
  data() {
    return { shown: this.value, held: false, typed: null, timer: null };
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
    rounded() {
      return Math.round(this.shown * 100) / 100;
    },
    words() {
      return (this.rounded > 0 ? "+" : "") + String(this.rounded).replace("-", "−") + " σ";
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
    take(event) {
      const number = event.target.valueAsNumber;
      if (!Number.isNaN(number)) this.walk(Math.min(this.reach, Math.max(-this.reach, number)));
      this.typed = null;
    },
    zero() {
      this.walk(0);
    },
    walk(amplitude) {
      this.held = true;
      this.shown = amplitude;
      this.release();
    },
  },
};
