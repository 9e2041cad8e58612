/**
 * NATS with JetStream as the transport: one JetStream stream holds what every relay publishes, core subscriptions hear it.
 *
 * Tried on nats-server 2.15 with @nats-io 3.3: an acknowledged message may be lost with the power, because the server syncs its
 * files every two minutes; publishes under way do not fail with the connection, so each has a time of its own.
 */
import {
  DiscardPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "@nats-io/jetstream";
import {
  type Authenticator,
  connect,
  credsAuthenticator,
  type NatsConnection,
  nanos,
  nkeyAuthenticator,
  tokenAuthenticator,
} from "@nats-io/transport-node";
import { EventplaneError, isEventplaneError } from "../../kernel/index.js";
import type { IncomingMessage, OutgoingMessage, PublishAck, Transport, TransportStanding } from "../port.js";
import { checkedSubject, subjectRoot } from "../subject.js";

/** How to reach it. */
export interface NatsTransportOptions {
  /** `nats://host:4222`, or `tls://…`. */
  readonly servers: readonly string[];
  /** As the server's connection list shows it; default `eventplane`. */
  readonly name?: string;
  /** The way in; default none. */
  readonly credential?: NatsCredential;
  /** How long messages are kept, milliseconds; default 24 h. */
  readonly keepMs?: number;
  /** Copies in a cluster, 1 to 5; default 1. Used when the stream is made. */
  readonly replicas?: number;
  /** How long an acknowledgement is waited for, milliseconds; default 500. */
  readonly ackTimeoutMs?: number;
}

/** One way in: the seed of an nkey, the text of a `.creds` file, or a token. */
export type NatsCredential =
  | { readonly kind: "nkey"; readonly seed: string }
  | { readonly kind: "creds"; readonly text: string }
  | { readonly kind: "token"; readonly token: string };

/** The JetStream stream of all events. */
export const natsStreamName = "EP";
/** Older servers let a tenant delete streams of others, or pass over what is asked of them in silence. */
const versionMin = [2, 12] as const;
/** A rewind of two minutes finds its messages in it. */
const duplicateWindowMs = 300_000;
const defaults = { keepMs: 86_400_000, replicas: 1, ackTimeoutMs: 500 } as const;
const reconnectWaitMs = 250;
const reconnectJitterMs = 250;
const connectTimeoutMs = 5_000;
const idHeader = "Nats-Msg-Id";
const sizeExceeded: readonly number[] = [10_054];

/**
 * Connects, and goes on connecting for ever once it was connected.
 *
 * @throws EventplaneError `unavailable` when no server answers; `transport_unsupported` for one without JetStream or older than 2.12
 */
export async function openNatsTransport(options: NatsTransportOptions): Promise<NatsTransport> {
  const connection = await connectTo(options);
  try {
    assertSupported(connection);
    const transport = new NatsTransport(connection, await jetstreamManager(connection), options);
    await transport.standing();
    return transport;
  } catch (error) {
    await connection.close();
    throw isEventplaneError(error) ? error : unavailable(error);
  }
}

/** Use {@link openNatsTransport}. */
export class NatsTransport implements Transport {
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #client: JetStreamClient;
  readonly #options: NatsTransportOptions;
  #reconnects = 0;

  constructor(connection: NatsConnection, manager: JetStreamManager, options: NatsTransportOptions) {
    this.#connection = connection;
    this.#manager = manager;
    this.#client = jetstream(connection);
    this.#options = options;
    void this.#follow();
  }

  get bodyBytesMax(): number {
    return (this.#connection.info?.max_payload ?? 0) - headerBytesMax;
  }

  get reconnects(): number {
    return this.#reconnects;
  }

  async publish({ subject, id, body }: OutgoingMessage): Promise<PublishAck> {
    checkedSubject(subject);
    if (body.byteLength > this.bodyBytesMax)
      throw new EventplaneError("payload_too_large", `A message has at most ${this.bodyBytesMax} bytes here.`);
    const { ackTimeoutMs: timeout = defaults.ackTimeoutMs } = this.#options;
    try {
      const expect = { streamName: natsStreamName };
      const { duplicate, seq } = await this.#client.publish(subject, body, { msgID: id, timeout, retries: 1, expect });
      return { isRepeated: duplicate, sequence: seq };
    } catch (error) {
      if (error instanceof JetStreamApiError && sizeExceeded.includes(error.code))
        throw new EventplaneError("payload_too_large", "The stream takes no message of this size.", { cause: error });
      throw unavailable(error);
    }
  }

  async subscribe(pattern: string, listener: (message: IncomingMessage) => void): Promise<() => Promise<void>> {
    try {
      const subscription = this.#connection.subscribe(pattern, {
        callback: (error, message) => {
          if (error !== null) return; // the end of the subscription
          listener({ subject: message.subject, id: message.headers?.get(idHeader) ?? "", body: message.data });
        },
      });
      await this.#connection.flush(); // from here on the server knows of it
      return () => subscription.drain();
    } catch (error) {
      throw unavailable(error);
    }
  }

  async standing(): Promise<TransportStanding> {
    try {
      const { created, state } = await this.#stream();
      return { epoch: created, sequence: state.last_seq };
    } catch (error) {
      throw unavailable(error);
    }
  }

  async close(): Promise<void> {
    if (!this.#connection.isClosed()) await this.#connection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #stream(): Promise<Awaited<ReturnType<JetStreamManager["streams"]["info"]>>> {
    try {
      return await this.#manager.streams.info(natsStreamName);
    } catch (error) {
      if (!(error instanceof JetStreamApiError) || error.code !== JetStreamApiCodes.StreamNotFound) throw error;
      return this.#manager.streams.add(streamConfig(this.#options));
    }
  }

  async #follow(): Promise<void> {
    for await (const { type } of this.#connection.status()) if (type === "reconnect") this.#reconnects += 1;
  }
}

/** Room for the headers of a publish within the server's limit. */
const headerBytesMax = 512;

function connectTo({ servers, name = "eventplane", credential }: NatsTransportOptions): Promise<NatsConnection> {
  return connect({
    servers: [...servers],
    name,
    timeout: connectTimeoutMs,
    maxReconnectAttempts: -1,
    reconnectTimeWait: reconnectWaitMs,
    reconnectJitter: reconnectJitterMs,
    // The server may refuse for a while, when who decides on credentials is away.
    ignoreAuthErrorAbort: true,
    ...(credential === undefined ? {} : { authenticator: authenticatorOf(credential) }),
  }).catch((error: unknown) => {
    throw unavailable(error);
  });
}

function authenticatorOf(credential: NatsCredential): Authenticator {
  switch (credential.kind) {
    case "nkey":
      return nkeyAuthenticator(Buffer.from(credential.seed, "utf8"));
    case "creds":
      return credsAuthenticator(Buffer.from(credential.text, "utf8"));
    default:
      return tokenAuthenticator(credential.token);
  }
}

/** No server may forget, purge or delete a message before its time at the wish of a client. */
function streamConfig({
  keepMs = defaults.keepMs,
  replicas = defaults.replicas,
}: NatsTransportOptions): Partial<StreamConfig> & { name: string } {
  return {
    name: natsStreamName,
    subjects: [`${subjectRoot}.>`],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    max_age: nanos(keepMs),
    duplicate_window: nanos(Math.min(duplicateWindowMs, keepMs)),
    num_replicas: replicas,
    deny_delete: true,
    deny_purge: true,
  };
}

function assertSupported({ info }: NatsConnection): void {
  const version = info?.version ?? "";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isNewEnough = major > versionMin[0] || (major === versionMin[0] && minor >= versionMin[1]);
  if (isNewEnough && info?.jetstream === true) return;
  throw new EventplaneError(
    "transport_unsupported",
    `Eventplane needs nats-server ${versionMin.join(".")} or newer with JetStream, not ${version}${info?.jetstream === true ? "" : " without it"}.`,
    { details: { version } },
  );
}

/** A mistake of ours must not look like an outage. */
function unavailable(cause: unknown): unknown {
  if (cause instanceof TypeError || cause instanceof RangeError) return cause;
  return new EventplaneError("unavailable", "NATS cannot be reached; what was under way may have arrived.", { cause });
}
