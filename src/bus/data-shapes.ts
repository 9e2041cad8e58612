/** What the objects at one place of payloads look like, so that the usual ones are copied by code made for them. */
import { busLimits } from "./bus-limits.js";
import { GenerationsMap } from "./generations-map.js";

/** Copies a member; `shapes` are those of its place, if they are known. */
export type CopyPart = (part: unknown, depthLeft: number, shapes: DataShapes | undefined) => unknown;

/** Copies the members of an object that has exactly these names, and freezes the copy; undefined when its prototype is not the usual one. */
type CopyMembers = (
  value: object,
  depthLeft: number,
  places: readonly DataShapes[],
  part: CopyPart,
) => object | undefined;

/** Objects with the same names in the same order. */
export interface DataShape {
  readonly names: readonly string[];
  /** The place of each of their members. */
  readonly places: readonly DataShapes[];
  readonly copy: CopyMembers;
}

const { shapesMax, shapesOfPlaceMax, shapeMembersMax, shapeSightings, shapeSightingsMax, shapeMissesMax } = busLimits;

/** What becomes a part of program text: these and nothing else, in 64 characters. */
const nameForm = /^[A-Za-z_$][\w$]{0,63}$/;

/** Code by the names that it was made for; code that was forgotten is made again. */
const made = new GenerationsMap<string, CopyMembers>(2 * shapesMax);

/** What all places of one topic share. */
export class TopicShapes {
  /** Shapes that may still be learned. */
  left: number = shapesMax;
  /** Places that have been numbered. */
  places = 0;
  /** How often names were seen at a place that are no shape of it yet. */
  readonly #sightings = new Map<string, number>();

  /** Counts names at a place. @returns whether they were seen often enough to be learned */
  saw(place: number, names: string): boolean {
    const key = `${place} ${names}`;
    const before = this.#sightings.get(key) ?? 0;
    if (before === 0 && this.#sightings.size >= shapeSightingsMax) this.#sightings.clear();
    this.#sightings.set(key, before + 1);
    return before + 1 >= shapeSightings && this.#sightings.delete(key);
  }

  /** Nothing is learned any more. */
  close(): void {
    this.left = 0;
    this.#sightings.clear();
  }
}

/**
 * The shapes of one place: a topic's payload, a member of it, or the elements of a list. A shape is learned when it was seen 16 times; a place
 * has at most four, and a topic 64, so that neither payloads with ever new names nor a hostile source fill the memory.
 */
export class DataShapes {
  readonly #topic: TopicShapes;
  readonly #place: number;
  readonly #shapes: DataShape[] = [];
  #misses = 0;
  #elements: DataShapes | undefined = undefined;

  /** The place of a topic's payload, or one within it. */
  constructor(topic: TopicShapes = new TopicShapes()) {
    this.#topic = topic;
    this.#place = topic.places++;
  }

  /** The place of the elements, if what is here is a list. */
  get elements(): DataShapes {
    return (this.#elements ??= new DataShapes(this.#topic));
  }

  /** The shape that an object has, if it is known. */
  of(value: object): DataShape | undefined {
    for (let at = 0; at < this.#shapes.length; at++) {
      const shape = this.#shapes[at];
      if (shape !== undefined && hasNames(value, shape.names)) return shape;
    }
    if (this.#misses < shapeMissesMax) this.#learn(Object.keys(value));
    return undefined;
  }

  #learn(names: readonly string[]): void {
    this.#misses++;
    if (names.length > shapeMembersMax || !names.every((name) => nameForm.test(name) && name !== "__proto__")) return;
    if (this.#shapes.length >= shapesOfPlaceMax || this.#topic.left === 0) {
      this.#misses = shapeMissesMax;
      return;
    }
    if (!this.#topic.saw(this.#place, names.join())) return;
    const copy = copyMembersOf(names);
    if (copy === undefined) return this.#topic.close();
    this.#shapes.push({ names, places: names.map(() => new DataShapes(this.#topic)), copy });
    if (--this.#topic.left === 0) this.#topic.close();
  }
}

/** Whether these are all enumerable names, in this order. What is inherited does not fit, as nothing is known of it. */
function hasNames(value: object, names: readonly string[]): boolean {
  let at = 0;
  for (const name in value) if (name !== names[at++]) return false;
  return at === names.length;
}

/**
 * Program text with the names in it is the one way to make an object of a known shape in one step: adding members to an empty one takes three times as
 * long. Ajv makes its checks in the same way.
 *
 * @returns undefined where no code may be made of text (`--disallow-code-generation-from-strings`): all is copied member by member there
 */
function copyMembersOf(names: readonly string[]): CopyMembers | undefined {
  const key = names.join();
  const known = made.get(key);
  if (known !== undefined) return known;
  try {
    // oxlint-disable-next-line typescript/no-implied-eval -- see above; the names are identifiers
    const copy = new Function("value", "depthLeft", "places", "part", copyText(names)) as CopyMembers; // the text says so
    made.set(key, copy);
    return copy;
  } catch {
    return undefined;
  }
}

/** The prototype is asked for last: when members were read, the compiler of Node.js knows it already. */
function copyText(names: readonly string[]): string {
  const reads = names.map((name, at) => `const p${at} = value.${name};`);
  const members = names.map(
    (name, at) => `${name}: ${isLeaf(`p${at}`)} ? p${at} : part(p${at}, depthLeft, places[${at}])`,
  );
  return `"use strict";
    ${reads.join("\n")}
    if (Object.getPrototypeOf(value) !== Object.prototype) return undefined;
    return Object.freeze({ ${members.join(", ")} });`;
}

function isLeaf(variable: string): string {
  return ["string", "number", "boolean"].map((type) => `typeof ${variable} === "${type}"`).join(" || ");
}
