/**
 * The thread of a handler: loads its module and calls it.
 *
 * What runs here later may be hostile. So the port of the protocol is in no variable that a module can import, what is needed of it is bound before the
 * module is loaded, and the thread's public port is closed. Whatever gets hold of the port all the same can end this one call, whose handler it is.
 *
 * It loads little: each thread pays for it.
 */
import { type MessagePort, parentPort } from "node:worker_threads";
import { EventplaneError } from "../../kernel/errors.js";
import { thrownData, thrownError } from "../../kernel/thrown.js";
import { AcceptedEvent } from "../accepted-event.js";
import type { AnyHandler } from "../consumer-parts.js";
import { Attempt } from "../delivery.js";
import { EventIds } from "../event-ids.js";
import type { EventJson } from "../event-json.js";
import { frozenCopy } from "../frozen-copy.js";
import type { FromThread, StartMessage, ToThread } from "./thread-messages.js";
import { captureOutput } from "./thread-output.js";

type Tell = (message: FromThread) => void;

parentPort?.once("message", ({ port, module, exportName, wantsOutput }: StartMessage) => {
  parentPort?.close();
  const tell: Tell = port.postMessage.bind(port);
  captureOutput(wantsOutput ? (line, from) => tell({ line, from }) : undefined);
  void serve(port, tell, () => load(module, exportName));
});

async function serve(port: MessagePort, tell: Tell, loadHandler: () => Promise<AnyHandler>): Promise<void> {
  const listen = port.on.bind(port);
  try {
    const handler = await loadHandler();
    const calls = new Calls(handler, tell);
    listen("message", (message: ToThread) => calls.take(message));
    tell({ isReady: true });
  } catch (error) {
    tell({ broken: thrownData(error) });
  }
}

async function load(module: string, exportName: string): Promise<AnyHandler> {
  const loaded = (await import(module)) as Readonly<Record<string, unknown>>; // a module is an object of its exports
  const handler = loaded[exportName];
  if (typeof handler === "function") return handler as AnyHandler; // what it takes cannot be known
  throw new EventplaneError("config_invalid", `it exports no function named ${exportName}`);
}

/** The call under way. */
class Calls {
  readonly #handler: AnyHandler;
  readonly #tell: Tell;
  #current: { readonly token: string; readonly attempt: Attempt } | undefined;

  constructor(handler: AnyHandler, tell: Tell) {
    this.#handler = handler;
    this.#tell = tell;
  }

  take(message: ToThread): void {
    if ("token" in message)
      void this.#call(message.token, message.event, new Attempt(message.attempt, (call) => void call()));
    else if (this.#current?.token === message.abort) this.#current.attempt.abort(thrownError(message.reason));
  }

  async #call(token: string, event: EventJson, attempt: Attempt): Promise<void> {
    this.#current = { token, attempt };
    try {
      await this.#handler(eventOf(event), attempt);
      this.#tell({ token });
    } catch (error) {
      this.#tell({ token, thrown: thrownData(error) });
    }
  }
}

/** An event that comes here has its id. */
const noIds = new EventIds("");

/** The copy as the event that it was. */
function eventOf({ topic, context, schemaVersion, payload, atMs, metadata, ...options }: EventJson): AcceptedEvent {
  const frozen = frozenCopy(metadata) as EventJson["metadata"]; // data of the type that it had
  return new AcceptedEvent(
    { topic, context, schemaVersion, ids: noIds },
    { number: 0, payload: frozenCopy(payload), atMs },
    { ...options, metadata: frozen },
  );
}
