/** What of an event nobody may read in a log or an export: found by place, by name and by the marks of its schema. */
import {
  EventplaneError,
  excludes,
  isSecretName,
  type JsonObject,
  type MarkedPlace,
  markedPlaces,
  namesHolding,
  redactedValue,
} from "../kernel/index.js";
import { busLimits } from "./bus-limits.js";
import { FoundValues } from "./found-values.js";
import { GenerationsMap } from "./generations-map.js";
import { patternTokens, topicTokens } from "./pattern.js";
import { PatternTrie } from "./pattern-trie.js";

/** What to redact, beside what the schemas of the topics mark and what has a secret's name. */
export interface RedactionOptions {
  /**
   * Pattern of topics → places of their events: `payload.card.number`, `payload.items.*.iban`, `metadata.ip`. `*` is any member or element;
   * what is below the place is redacted with it.
   */
  readonly paths?: Readonly<Record<string, readonly string[]>>;
  /**
   * Names of members, wherever they are, as whole words in any style: `email` means `customerEmail` too, `auth` does not mean `author`.
   * Names of secrets (`password`, `apiToken`, `authorization` …) always count.
   */
  readonly keys?: readonly string[];
}

/** The parts of an event that are redacted. */
export interface EventParts {
  readonly payload: unknown;
  readonly metadata?: unknown;
}

/** The parts without what was redacted, and the values that were. */
export interface RedactedParts extends EventParts {
  readonly found: FoundValues;
}

type Path = readonly string[];

/** The topics of the bus, with the schemas of those that have a JSON Schema. */
interface KnownTopics {
  readonly schemas: ReadonlyMap<string, JsonObject | undefined>;
  /** Whether there may be others. */
  readonly allowsUnknown: boolean;
}

interface TopicRules {
  readonly paths: readonly Path[];
  readonly marks: MarkedPlace | undefined;
}

/** Where a value is, for what may be redacted at it and below. */
interface Place {
  /** What is left of each path that led here. */
  readonly paths: readonly Path[];
  readonly marks: MarkedPlace | undefined;
}

const nameCharactersRemembered = 80;
const tooLarge = "[too large]";
const pathStarts: readonly string[] = ["payload", "metadata"];

/** The rules of one bus, compiled when it is made. */
export class Redaction {
  readonly #isSecret: (name: string) => boolean;
  readonly #paths = new PatternTrie<Path>();
  readonly #marks = new Map<string, MarkedPlace>();
  readonly #topics = new GenerationsMap<string, TopicRules>(busLimits.topicsCachedMax);

  /**
   * @throws EventplaneError `config_invalid` for a path that is none or leads nowhere in every topic that its pattern takes, `request_invalid` for a
   * pattern that is none
   */
  constructor({ paths = {}, keys = [] }: RedactionOptions, topics: KnownTopics) {
    const isNamed = namesHolding(keys);
    const known = new GenerationsMap<string, boolean>(busLimits.topicsCachedMax);
    this.#isSecret = (name) => {
      let isSecret = known.get(name);
      if (isSecret !== undefined) return isSecret;
      isSecret = isSecretName(name) || isNamed(name);
      if (name.length <= nameCharactersRemembered) known.set(name, isSecret);
      return isSecret;
    };
    for (const [pattern, list] of Object.entries(paths))
      for (const path of list) this.#addPath(pattern, { path, topics });
    for (const [topic, schema] of topics.schemas) {
      const places = schema === undefined ? undefined : markedPlaces(topic, schema);
      if (places !== undefined) this.#marks.set(topic, places);
    }
  }

  /** Takes out of an event of a topic what is to be redacted. Never throws; of what cannot be looked through nothing is left. */
  redact(topic: string, parts: EventParts): RedactedParts {
    const found = new FoundValues();
    try {
      const { paths, marks } = this.#rulesOf(topic);
      const walk = new RedactingWalk(this.#isSecret, found);
      const copy = (part: "payload" | "metadata"): unknown =>
        walk.copy(parts[part], { paths: tails(paths, part), marks: part === "payload" ? marks : undefined }, 0);
      return { payload: copy("payload"), metadata: copy("metadata"), found };
    } catch {
      found.giveUp();
      return { payload: tooLarge, metadata: {}, found };
    }
  }

  /** A misspelt path would redact nothing, and nobody would see it. */
  #addPath(pattern: string, { path, topics }: { readonly path: string; readonly topics: KnownTopics }): void {
    const tokens = pathOf(path);
    const trie = new PatternTrie<true>();
    trie.add(patternTokens(pattern), true);
    const taken = [...topics.schemas].filter(([topic]) => trie.match(topicTokens(topic)).size > 0);
    const isNowhere =
      tokens[0] === "payload" && taken.every(([, schema]) => schema !== undefined && excludes(schema, tokens.slice(1)));
    if (!topics.allowsUnknown && (taken.length === 0 || isNowhere))
      throw new EventplaneError(
        "config_invalid",
        `The path ${JSON.stringify(path)} to redact leads nowhere in the topics that ${pattern} takes: correct one of them.`,
      );
    this.#paths.add(patternTokens(pattern), tokens);
  }

  #rulesOf(topic: string): TopicRules {
    const known = this.#topics.get(topic);
    if (known !== undefined) return known;
    const rules = { paths: [...this.#paths.match(topicTokens(topic))], marks: this.#marks.get(topic) };
    this.#topics.set(topic, rules);
    return rules;
  }
}

function pathOf(path: string): Path {
  const tokens = path.split(".");
  if (pathStarts.includes(tokens[0] ?? "") && tokens.every((token) => token !== "")) return tokens;
  throw new EventplaneError(
    "config_invalid",
    `The path ${JSON.stringify(path)} to redact begins with payload or metadata, and has names or * between dots.`,
  );
}

function tails(paths: readonly Path[], name: string): readonly Path[] {
  return paths.length === 0
    ? paths
    : paths.filter(([first]) => first === name || first === "*").map((path) => path.slice(1));
}

/** Copies a value without what is to be redacted, and keeps what that was. */
class RedactingWalk {
  readonly #isSecret: (name: string) => boolean;
  readonly #found: FoundValues;
  #partsLeft: number = busLimits.redactedPartsMax;

  constructor(isSecret: (name: string) => boolean, found: FoundValues) {
    this.#isSecret = isSecret;
    this.#found = found;
  }

  /** @throws when there are too many parts, or too deep */
  copy(value: unknown, place: Place, depth: number): unknown {
    this.#step(depth);
    if (place.marks?.isMarked === true || place.paths.some(({ length }) => length === 0))
      return this.#hide(value, depth);
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return this.#copyElements(value, place, depth + 1);
    const members = Object.entries(value).map(([name, member]) => {
      // The other states of a switch say nothing: `hasToken: true`.
      const isHidden = typeof member !== "boolean" && member !== null && this.#isSecret(name);
      const below = { paths: tails(place.paths, name), marks: place.marks?.member(name) };
      return [name, isHidden ? this.#hide(member, depth + 1) : this.copy(member, below, depth + 1)] as const;
    });
    return Object.fromEntries(members);
  }

  #copyElements(list: readonly unknown[], place: Place, depth: number): readonly unknown[] {
    const copies: unknown[] = [];
    for (let at = 0; at < list.length; at++) {
      const below = { paths: tails(place.paths, String(at)), marks: place.marks?.element(at) };
      copies.push(this.copy(list[at], below, depth));
    }
    return copies;
  }

  #hide(value: unknown, depth: number): string | undefined {
    if (value === undefined) return undefined;
    this.#gather(value, depth);
    return redactedValue;
  }

  #gather(value: unknown, depth: number): void {
    this.#step(depth);
    if (typeof value === "string") this.#found.add(value);
    else if (typeof value === "number" || typeof value === "bigint") this.#found.add(String(value));
    else if (Array.isArray(value)) for (let at = 0; at < value.length; at++) this.#gather(value[at], depth + 1);
    else if (typeof value === "object" && value !== null)
      for (const member of Object.values(value)) this.#gather(member, depth + 1);
  }

  #step(depth: number): void {
    if (--this.#partsLeft < 0 || depth > busLimits.payloadDepthMax)
      throw new EventplaneError("payload_too_large", "The event has too many parts to be redacted.");
  }
}
