// A range of layers: two native sliders on one track. As an amplitude, it shows what the hand did until that is known.
import { delivery } from "ganwalk-delivery";
export default {
  mixins: [delivery],
  emits: ["release"],
  template: `
    <span class="layers" role="group" :aria-label="'Layers of ' + name">
      <span class="layers-track"><span class="layers-bar" :style="bar"></span>
        <input type="range" min="0" :max="last" step="1" :value="low" :aria-label="'First layer of ' + name"
          @input="moveLow" @change="release" @pointerup="release" />
        <input type="range" min="0" :max="last" step="1" :value="high" :aria-label="'Last layer of ' + name"
          @input="moveHigh" @change="release" @pointerup="release" />
      </span>
      <output>{{ words }}</output>
    </span>`,
  props: { first: Number, final: Number, last: Number, name: String, parts: String },
  data() {
    return { low: this.first, high: this.final, held: false };
  },
  watch: {
    theirs() {
      if (this.held || this.waiting) return;
      this.low = this.first;
      this.high = this.final;
    },
  },
  computed: {
    theirs() {
      return [this.first, this.final, this.acknowledged];
    },
    words() {
      const theirs = this.low === this.first && this.high === this.final;
      if (theirs && this.parts) return this.parts;
      return this.low === this.high ? `layer ${this.low}` : `layers ${this.low}–${this.high}`;
    },
    bar() {
      const whole = Math.max(1, this.last);
      return { left: (100 * this.low) / whole + "%", width: (100 * (this.high - this.low)) / whole + "%" };
    },
  },
  methods: {
    moveLow(event) {
      this.held = true;
      this.low = Math.min(Number(event.target.value), this.high);
      event.target.value = this.low;
    },
    moveHigh(event) {
      this.held = true;
      this.high = Math.max(Number(event.target.value), this.low);
      event.target.value = this.high;
    },
    release() {
      if (!this.held) return;
      this.held = false;
      this.send("release", this.low, this.high);
    },
  },
};
