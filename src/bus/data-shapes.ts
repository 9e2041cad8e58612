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

const { shapesMax, shapesOfPlaceMax, shapeMembersMax, shapeSightings, shapeMissesMax } = busLimits;

/** Names that are counted at one place. */
const sightingsMax = 32;

/** What becomes a part of program text: these and nothing else, in 64 characters. */
const nameForm = /^[A-Za-z_$][\w$]{0,63}$/;

/** Code by the names that it was made for; code that was forgotten is made again. */
const made = new GenerationsMap<string, CopyMembers>(2 * shapesMax);

/**
 * The shapes of one place: a topic's payload, a member of it, or the elements of a list. A shape is learned when it was seen 16 times; a place
 * has at most four, and a topic 64, so that neither payloads with ever new names nor a hostile source fill the memory.
 */
export class DataShapes {
  readonly #budget: { left: number };
  readonly #shapes: DataShape[] = [];
  /** How often names were seen here that are no shape yet. */
  #sightings = new Map<string, number>();
  #misses = 0;
  #elements: DataShapes | undefined = undefined;

  /** Without a budget, that of a topic. */
  constructor(budget: { left: number } = { left: shapesMax }) {
    this.#budget = budget;
  }

  /** The place of the elements, if what is here is a list. */
  get elements(): DataShapes {
    return (this.#elements ??= new DataShapes(this.#budget));
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
    if (this.#shapes.length >= shapesOfPlaceMax || this.#budget.left === 0) return this.#learnNoMore();
    const key = names.join();
    const sightings = (this.#sightings.get(key) ?? 0) + 1;
    if (this.#sightings.size >= sightingsMax) this.#sightings.clear();
    this.#sightings.set(key, sightings);
    if (sightings < shapeSightings) return;
    this.#sightings.delete(key);
    this.#budget.left--;
    this.#shapes.push({ names, places: names.map(() => new DataShapes(this.#budget)), copy: copyMembersOf(names) });
  }

  #learnNoMore(): void {
    this.#misses = shapeMissesMax;
    this.#sightings.clear();
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
 */
function copyMembersOf(names: readonly string[]): CopyMembers {
  const key = names.join();
  const known = made.get(key);
  if (known !== undefined) return known;
  // oxlint-disable-next-line typescript/no-implied-eval -- see above; the names are identifiers
  const copy = new Function("value", "depthLeft", "places", "part", copyText(names)) as CopyMembers; // the text says so
  made.set(key, copy);
  return copy;
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
