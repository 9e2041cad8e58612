/**
 * The transport's port: what carries events out, after they are in the log. It is speed, never the record: what it lost is
 * published again.
 *
 * Two adapters pass one contract suite: memory, NATS.
 */

/** One message on its way out. */
export interface OutgoingMessage {
  /** Tokens of letters, digits, `_` and `-`, joined by `.`; see subjectOf. */
  readonly subject: string;
  /** Names the message for its repetitions: within the transport's window a second one of the same id is not stored. */
  readonly id: string;
  readonly body: Uint8Array;
}

/** One message as it arrives. */
export interface IncomingMessage {
  readonly subject: string;
  readonly id: string;
  readonly body: Uint8Array;
}

/** The transport has it. */
export interface PublishAck {
  /** It was there already. */
  readonly isRepeated: boolean;
  /** Its place among all that is stored, from 1. */
  readonly sequence: number;
}

/** What the transport has, to notice that it lost something. */
export interface TransportStanding {
  /** Another one than before: it began anew, with nothing. */
  readonly epoch: string;
  /** The last place that was given out. */
  readonly sequence: number;
}

/** Carries messages. Messages that one caller publishes one after the other arrive in that order. */
export interface Transport extends AsyncDisposable {
  /** Bytes of a message's body that it takes now. */
  readonly bodyBytesMax: number;
  /** How often the connection was made anew; what was not acknowledged then may be lost. */
  readonly reconnects: number;
  /**
   * Stores a message.
   *
   * @throws EventplaneError `unavailable` (retryable; it may be stored all the same), `payload_too_large`, `request_invalid` for
   * a subject that is none
   */
  publish(message: OutgoingMessage): Promise<PublishAck>;
  /**
   * Hears what is published from now on, until the function that it gives is called. Nothing is stored for it: what comes while it
   * is not connected is not heard.
   *
   * @param pattern a subject whose tokens may be `*`, and the last one `>` for one or more
   */
  subscribe(pattern: string, listener: (message: IncomingMessage) => void): Promise<() => Promise<void>>;
  /** Makes ready what stores the messages, where it is not there. @throws EventplaneError `unavailable` */
  standing(): Promise<TransportStanding>;
  /** Ends the connection; what is under way is acknowledged or fails. Idempotent. */
  close(): Promise<void>;
}
