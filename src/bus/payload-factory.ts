/** Payloads with defaults, which are held to the topic's schema when the factory is made and not when the first event is refused. */
import { EventplaneError } from "../kernel/index.js";
import { compileTopic } from "./payload-check.js";
import type { Topic } from "./topic.js";

/** Makes a payload of what its factory has no default for; members that are given win. */
export type PayloadFactory<Payload, Name extends keyof Payload> = (
  given: Omit<Payload, Name> & Partial<Payload>,
) => Payload;

/**
 * A maker of payloads of one topic that shares members among them. Defaults may leave out what the schema requires; whether the
 * whole fits is said when the event is published.
 *
 * @throws EventplaneError `config_invalid` when a default does not fit the schema by itself, or the schema cannot be used
 */
export function payloadFactory<Payload extends object, Name extends keyof Payload>(
  topic: Topic<Payload>,
  defaults: Pick<Payload, Name>,
): PayloadFactory<Payload, Name> {
  const own = Object.freeze({ ...defaults });
  const wrong = misfits(topic, own);
  if (wrong.length > 0) {
    const message = `Defaults of a payload do not fit its schema: ${wrong.join(", ")}.`;
    throw new EventplaneError("config_invalid", message, { details: { pointers: wrong } });
  }
  // Together they are a payload: what has no default was given.
  return (given) => ({ ...own, ...given }) as unknown as Payload;
}

/** The problems that are in a default; what is only missing may still be given. */
function misfits(topic: Topic, defaults: object): readonly string[] {
  const { check } = compileTopic("the topic of a factory", topic);
  try {
    check(defaults);
    return [];
  } catch (error) {
    if (!(error instanceof EventplaneError) || error.code !== "schema_violation") throw error;
    const { pointers } = error.details;
    const names = Object.keys(defaults).map((name) => `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`);
    const isOfDefault = (pointer: string): boolean =>
      names.some((name) => pointer === name || pointer.startsWith(`${name}/`));
    return Array.isArray(pointers) ? pointers.map(String).filter(isOfDefault) : [];
  }
}
