export {
  type NatsCredential,
  type NatsTransport,
  type NatsTransportOptions,
  natsStreamName,
  openNatsTransport,
} from "./nats-transport.js";
