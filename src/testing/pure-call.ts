/**
 * Calls a synchronous function while everything that would make it impure is closed: the clock, chance, timers, the
 * network. For reconciles, guards and folds under test.
 */
import { EventplaneError } from "../kernel/index.js";

/** Where it lies below globalThis, and what to use instead. */
interface ClosedDoor {
  readonly path: readonly [...string[], string];
  readonly instead: string;
}

const now = "Use ctx.now, which is recorded with the decision.";
const chance = "Use ctx.random, which gives the same numbers for the same basis.";
const outside = "Ask a worker with ctx.effects; reconcile does nothing outside.";

const doors: readonly ClosedDoor[] = [
  { path: ["performance", "now"], instead: now },
  { path: ["process", "hrtime"], instead: now },
  { path: ["process", "uptime"], instead: now },
  { path: ["Math", "random"], instead: chance },
  { path: ["crypto", "randomUUID"], instead: chance },
  { path: ["crypto", "getRandomValues"], instead: chance },
  { path: ["setTimeout"], instead: outside },
  { path: ["setInterval"], instead: outside },
  { path: ["setImmediate"], instead: outside },
  { path: ["fetch"], instead: outside },
];

type Read = Pick<ClosedDoor, "instead"> & { readonly name: string };

/**
 * Runs it; nothing else can run meanwhile, so nobody else meets a closed door.
 *
 * `new Date(text)` and `Date.parse` stay: they read no clock. What only differs from call to call without these doors, as
 * `node:crypto` does, is found by calling twice.
 *
 * @param name of what is called, for the message
 * @throws EventplaneError `decision_not_deterministic` when it used one of them, even if it caught what that threw;
 * otherwise what it throws
 */
export function pureCall<Result>(name: string, call: () => Result): Result {
  const reads: Read[] = [];
  const refuse = (read: Read): never => {
    reads.push(read);
    throw impure(name, read);
  };
  const reopen = [
    closeDate(refuse),
    ...doors.map(({ path, instead }) => close(path, () => refuse({ name: `${path.join(".")}()`, instead }))),
  ];
  let result: Result;
  try {
    result = call();
  } finally {
    for (const open of reopen) open();
  }
  const [first] = reads;
  if (first !== undefined) throw impure(name, first);
  return result;
}

function impure(name: string, { name: used, instead }: Read): EventplaneError {
  const message = `${name} uses ${used}, so it would decide differently when it is run again. ${instead}`;
  return new EventplaneError("decision_not_deterministic", message, { details: { used } });
}

/** @returns what opens it again */
function close(path: readonly [...string[], string], refuse: () => never): () => void {
  const name = path.at(-1) ?? "";
  const holder = path.slice(0, -1).reduce<object>((object, key) => Reflect.get(object, key) as object, globalThis); // every path above is one of Node.js
  return replace(holder, name, refuse);
}

function closeDate(refuse: (read: Read) => never): () => void {
  const clock: DateConstructor = Reflect.get(globalThis, "Date");
  const refused = (name: string): never => refuse({ name, instead: now });
  const closed = new Proxy(clock, {
    apply: () => refused("Date()"),
    construct: (target, given, newTarget): object =>
      given.length === 0 ? refused("new Date()") : Reflect.construct(target, given, newTarget),
    get: (target, key, receiver): unknown =>
      key === "now" ? () => refused("Date.now()") : Reflect.get(target, key, receiver),
  });
  return replace(globalThis, "Date", closed);
}

function replace(holder: object, name: string, value: unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(holder, name);
  Object.defineProperty(holder, name, {
    configurable: true,
    enumerable: before?.enumerable ?? true,
    writable: true,
    value,
  });
  return () => {
    if (before === undefined) Reflect.deleteProperty(holder, name);
    else Object.defineProperty(holder, name, before);
  };
}
