// Events that reach the server in order, and each once, over connections that may break: they are numbered, those
// without an acknowledgement are sent again with every new connection, and the server handles no number twice.
export const delivery = {
  props: { acknowledged: Number },
  data() {
    return { sent: this.acknowledged, outstanding: [] };
  },
  computed: {
    waiting() {
      return this.sent > this.acknowledged;
    },
  },
  watch: {
    acknowledged(number) {
      this.outstanding = this.outstanding.filter((event) => event[1] > number);
    },
  },
  mounted() {
    // The page makes its socket when all components are there.
    this.$nextTick(() => window.socket.on("connect", this.resend));
  },
  unmounted() {
    window.socket.off("connect", this.resend);
  },
  methods: {
    send(name, ...values) {
      this.sent += 1;
      const event = [name, this.sent, ...values];
      this.outstanding.push(event);
      // Otherwise the connection that comes sends it, after those before it.
      if (window.socket.connected) this.$emit(...event);
    },
    resend() {
      for (const event of this.outstanding) this.$emit(...event);
    },
  },
};
