export type { IncomingMessage, OutgoingMessage, PublishAck, Transport, TransportStanding } from "./port.js";
