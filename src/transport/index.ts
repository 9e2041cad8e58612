export type { IncomingMessage, OutgoingMessage, PublishAck, Transport, TransportStanding } from "./port.js";
export { Relay, type RelayParts } from "./relay.js";
export type { RelayClaim, RelayMove, RelayStore } from "./relay-store.js";
