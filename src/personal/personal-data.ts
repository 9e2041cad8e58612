/**
 * Personal data on their way into the log and out of it (docs/adr/0038-personal-data-stay-sealed.md).
 *
 * What a schema marks is encrypted before the event is signed, under the key of its data subject, and stays so wherever it goes:
 * in the log, in resources, snapshots, work rows and projections. It is opened at two places only: when it leaves for whoever
 * may read it, and when a worker is called.
 */
import type { AppDefinition, AppendItem, DraftEvent, EventRow } from "../event/index.js";
import {
  EventplaneError,
  type JsonObject,
  limits,
  mayHoldSealed,
  sealedPrefix,
  type TenantId,
} from "../kernel/index.js";
import { sealText } from "./cipher.js";
import { erased, type KeyRing } from "./key-ring.js";
import { openedRow } from "./opened-row.js";
import { type EarlierSchemas, type MarkedEvent, PersonalFields, type PersonalString } from "./personal-fields.js";
import { keyIdsIn, type OpenedValue, openIn } from "./sealed-texts.js";
import { belowPointer, type Looking, replaceStrings, stringsIn } from "./strings-in-text.js";

/** An input of a worker with its personal data open. */
export interface OpenedInput {
  readonly input: JsonObject;
  /** What was opened, so that none of it comes back into the log. */
  readonly opened: readonly OpenedValue[];
  /** Some of it is of a data subject that has been erased. */
  readonly isErased: boolean;
}

/** Seals and opens for one app. */
export class PersonalData {
  readonly #fields: PersonalFields;
  readonly #ring: KeyRing;

  /** @throws EventplaneError `config_invalid` for marks that cannot be followed */
  constructor({ app, ring }: { readonly app: Pick<AppDefinition, "aggregates">; readonly ring: KeyRing }) {
    this.#fields = new PersonalFields(app);
    this.#ring = ring;
  }

  /**
   * Whether the intent says whose its personal data are, and holds none that somebody else sealed: brought to another place, they
   * would be opened there for whoever may read that.
   *
   * @throws EventplaneError `data_subject_missing`, `forbidden_field`, `payload_too_large`
   */
  check(event: MarkedEvent, schemas?: EarlierSchemas): void {
    const { specText } = event;
    // Escapes hide nothing: what is folded is printed again without them.
    if ((specText.includes(sealedPrefix) || specText.includes("\\u")) && hasSealed(JSON.parse(specText)))
      throw broughtSealed();
    this.#fields.of(event, schemas);
  }

  /**
   * The items of an append with their personal data sealed, by the schema that each was checked with. The same items again give the same bytes, whoever seals them.
   *
   * @throws EventplaneError `subject_erased`, `data_subject_missing`, `payload_too_large`, `unavailable`
   */
  seal(
    tenantId: TenantId,
    items: readonly AppendItem[],
    schemas?: EarlierSchemas,
  ): Promise<readonly AppendItem[]> | readonly AppendItem[] {
    return items.some(({ event }) => this.#fields.has(event, schemas)) ? this.#seal(tenantId, items, schemas) : items;
  }

  async #seal(
    tenantId: TenantId,
    items: readonly AppendItem[],
    schemas: EarlierSchemas | undefined,
  ): Promise<readonly AppendItem[]> {
    const strings = items.map(({ event }) => this.#fields.of(event, schemas));
    const subjects = strings.flatMap((each) => each.map(({ found }) => found.subject));
    if (subjects.length === 0) return items;
    const keys = await this.#ring.ofSubjects(tenantId, subjects);
    return items.map((item, index) => {
      const found = strings[index] ?? [];
      return found.length === 0 ? item : { ...item, event: sealEvent(item.event, found, keys) };
    });
  }

  /**
   * The text of a spec as it would have been stored in the place of this event, to see whether it is the same again.
   *
   * @throws EventplaneError `subject_erased` when that can no longer be told
   */
  async sealedAs(row: EventRow, specText: string): Promise<string> {
    if (row.keyRefsText === null) return specText;
    const keyRefs = JSON.parse(row.keyRefsText) as Readonly<Record<string, string>>; // written by #seal only
    const keys = await this.#ring.ofIds(row.tenantId, Object.values(keyRefs));
    return replaceStrings(specText, stringsIn(specText, lookingAt(keyRefs)), ({ found: keyId, pointer }, json) => {
      const key = keys.get(keyId);
      if (key === undefined) throw untold(row);
      return JSON.stringify(sealText(key, { eventId: row.id, pointer }, json));
    });
  }

  /** The rows with their personal data open; those without any are the same. Rows are of one tenant. For readers only: the proofs of opened rows do not hold. */
  openRows(tenantId: TenantId, rows: readonly EventRow[]): Promise<readonly EventRow[]> | readonly EventRow[] {
    return rows.some(holdsSealed) ? this.#openRows(tenantId, rows) : rows;
  }

  async #openRows(tenantId: TenantId, rows: readonly EventRow[]): Promise<readonly EventRow[]> {
    const sealed = rows.filter(holdsSealed);
    const keyIds = sealed.flatMap(({ specText, statusText }) => [...keyIdsIn(specText), ...keyIdsIn(statusText)]);
    const keys = await this.#ring.ofIds(tenantId, keyIds);
    return rows.map((row) => (holdsSealed(row) ? openedRow(row, (text) => openIn(text, { keys })) : row));
  }

  /** JSON texts with their personal data open; those without any are the same. */
  openTexts(tenantId: TenantId, texts: readonly string[]): Promise<readonly string[]> | readonly string[] {
    return texts.some(mayHoldSealed) ? this.#openTexts(tenantId, texts) : texts;
  }

  async #openTexts(tenantId: TenantId, texts: readonly string[]): Promise<readonly string[]> {
    const keys = await this.#ring.ofIds(tenantId, texts.flatMap(keyIdsIn));
    return texts.map((text) => (mayHoldSealed(text) ? openIn(text, { keys }) : text));
  }

  /** A JSON value with its personal data open; the same one when it has none. */
  openValue<Value extends object>(tenantId: TenantId, value: Value): Promise<Value> | Value {
    return hasSealed(value) ? this.#openValue<Value>(tenantId, value) : value;
  }

  async #openValue<Value extends object>(tenantId: TenantId, value: Value): Promise<Value> {
    const text = JSON.stringify(value);
    const keys = await this.#ring.ofIds(tenantId, keyIdsIn(text));
    return JSON.parse(openIn(text, { keys })) as Value; // as it was, but for strings that were sealed
  }

  /** What a worker is called with. @throws EventplaneError `key_unknown`, `unavailable` */
  async openInput(tenantId: TenantId, input: JsonObject): Promise<OpenedInput> {
    if (!hasSealed(input)) return { input, opened: [], isErased: false };
    const text = JSON.stringify(input);
    const keyIds = keyIdsIn(text);
    const keys = await this.#ring.ofIds(tenantId, keyIds);
    const opened: OpenedValue[] = [];
    const open = openIn(text, { keys, onOpened: (value) => void opened.push(value) });
    return { input: JSON.parse(open) as JsonObject, opened, isErased: keyIds.some((keyId) => !keys.has(keyId)) }; // an object before, too
  }

  /** Forgets a subject's key in this process at once; others do within a second. */
  forget(tenantId: TenantId, subject: string): void {
    this.#ring.forget(tenantId, subject);
  }
}

function sealEvent(
  event: DraftEvent,
  found: readonly PersonalString[],
  keys: Awaited<ReturnType<KeyRing["ofSubjects"]>>,
): DraftEvent {
  const keyRefs: Record<string, string> = {};
  const specText = replaceStrings(event.specText, found, ({ found: { subject }, pointer }, json) => {
    const key = keys.get(subject);
    if (key === undefined) throw erased(subject);
    keyRefs[pointer] = key.keyId;
    return JSON.stringify(sealText(key, { eventId: event.id, pointer }, json));
  });
  const keyRefsText = JSON.stringify(keyRefs);
  const bytes = Buffer.byteLength(specText) + Buffer.byteLength(event.causedByText) + keyRefsText.length;
  if (bytes <= limits.eventBytesMax) return { ...event, specText, keyRefsText };
  const message = `The event has ${bytes} bytes with its personal fields encrypted; at most ${limits.eventBytesMax} are allowed.`;
  throw new EventplaneError("payload_too_large", message, {
    details: { pointer: "/spec", bytes, bytesMax: limits.eventBytesMax },
  });
}

/** Looks through a value without printing it. */
function hasSealed(value: unknown): boolean {
  if (typeof value === "string") return value.startsWith(sealedPrefix);
  if (typeof value !== "object" || value === null) return false;
  return Array.isArray(value) ? value.some(hasSealed) : Object.values(value).some(hasSealed);
}

function broughtSealed(): EventplaneError {
  const message = `The spec holds a string that begins with ${sealedPrefix}: only the edge seals personal data. Send them as they are, or an id of what holds them.`;
  return new EventplaneError("forbidden_field", message, { details: { pointer: "/spec" } });
}

function untold({ id }: EventRow): EventplaneError {
  const message = `Event ${id} holds personal data that were erased for ever, so nobody can tell any more whether this is the same.`;
  return new EventplaneError("subject_erased", message, { details: { eventId: id } });
}

function holdsSealed({ specText, statusText }: EventRow): boolean {
  return mayHoldSealed(specText) || mayHoldSealed(statusText);
}

/** Looks at pointers. */
function lookingAt(keyRefs: Readonly<Record<string, string>>, pointer = ""): Looking<string> {
  return {
    here: Object.hasOwn(keyRefs, pointer) ? keyRefs[pointer] : undefined,
    below: (step) => lookingAt(keyRefs, belowPointer(pointer, step)),
  };
}
