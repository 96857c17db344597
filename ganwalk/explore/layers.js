// A range of layers: two native sliders on one track.
export default {
  template: `
    <span class="layers" role="group" :aria-label="'Layers of ' + name">
      <span class="layers-track"><span class="layers-bar" :style="bar"></span>
        <input type="range" min="0" :max="last" step="1" :value="low" :aria-label="'First layer of ' + name"
          @input="moveLow" @change="release" />
        <input type="range" min="0" :max="last" step="1" :value="high" :aria-label="'Last layer of ' + name"
          @input="moveHigh" @change="release" />
      </span>
      <output>layers {{ low }}–{{ high }}</output>
    </span>`,
  props: { first: Number, final: Number, last: Number, name: String },
  data() {
    return { low: this.first, high: this.final };
  },
  watch: {
    first(value) {
      this.low = value;
    },
    final(value) {
      this.high = value;
    },
  },
  computed: {
    bar() {
      const whole = Math.max(1, this.last);
      return { left: (100 * this.low) / whole + "%", width: (100 * (this.high - this.low)) / whole + "%" };
    },
  },
  methods: {
    moveLow(event) {
      this.low = Math.min(Number(event.target.value), this.high);
      event.target.value = this.low;
    },
    moveHigh(event) {
      this.high = Math.max(Number(event.target.value), this.low);
      event.target.value = this.high;
    },
    release() {
      this.$emit("release", [this.low, this.high]);
    },
  },
};
