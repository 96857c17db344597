// An amplitude: a native slider, which brings its keys and its words for screen readers.
// While it is held, and until the server has acknowledged where it was let go, it shows what the hand did.
import { delivery } from "ganwalk-delivery";
export default {
  mixins: [delivery],
  emits: ["drag", "release"],
  template: `
    <span class="slider">
      <span class="track">
        <input type="range" :min="-far" :max="far" :step="even ? 0.01 : 0.1" :value="place(shown)" :aria-label="'Amplitude of ' + name"
          :style="way" :aria-valuetext="words" @input="move" @change="release" @pointerup="release" @dblclick="zero" />
        <i v-for="mark in marks" class="mark" :style="{ '--at': mark }"></i>
      </span>
      <label class="typed"><input type="number" :min="-reach" :max="reach" step="0.1" :value="typed ?? rounded"
        :aria-label="'Number of σ along ' + name" @input="typed = $event.target.value" @change="take" @blur="typed = null" />σ</label>
    </span>`,
  // Ends: the direction's own, if they were measured. Pace: amplitudes at equal steps from -1 to 1; none is even in σ.
  props: { value: Number, reach: Number, name: String, ends: Array, pace: Array },
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
    even() {
      return this.pace.length > 0;
    },
    far() {
      return this.even ? 1 : this.reach;
    },
    marks() {
      // Shares of the track; ends that the slider does not reach have none.
      const inside = this.even ? [] : this.ends.filter((end) => Math.abs(end) < this.reach);
      return inside.map((end) => (end + this.reach) / (2 * this.reach));
    },
    rounded() {
      return Math.round(this.shown * 100) / 100;
    },
    words() {
      return (this.rounded > 0 ? "+" : "") + String(this.rounded).replace("-", "−") + " σ";
    },
    way() {
      // What is coloured: from the middle to where the slider is.
      const share = 50 + (50 * this.place(this.shown)) / this.far;
      return { "--from": Math.min(50, share) + "%", "--to": Math.max(50, share) + "%" };
    },
  },
  methods: {
    place(amplitude) {
      // Where the slider stands for an amplitude: with a pace, between the two of its steps that are around it.
      if (!this.even) return amplitude;
      const last = this.pace.length - 1;
      const k = this.pace.findIndex((end) => end >= amplitude);
      if (k < 0) return 1;
      if (k === 0) return -1;
      const width = this.pace[k] - this.pace[k - 1];
      return (2 * (k - 1 + (amplitude - this.pace[k - 1]) / width)) / last - 1;
    },
    amplitude(place) {
      if (!this.even) return place;
      const at = ((place + 1) / 2) * (this.pace.length - 1);
      const k = Math.min(Math.floor(at), this.pace.length - 2);
      const found = this.pace[k] + (at - k) * (this.pace[k + 1] - this.pace[k]);
      return Math.round(found * 1000) / 1000;
    },
    move(event) {
      this.shown = this.amplitude(Number(event.target.value));
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
