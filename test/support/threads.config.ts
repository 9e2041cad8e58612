/** An application whose controllers do all that controllers may do, and some things that they may not. */
import {
  type AppDefinition,
  blocked,
  type Decision,
  defineAggregate,
  defineApp,
  defineController,
  defineWorker,
  done,
  type JsonObject,
  pending,
  type ReconcileContext,
  reject,
  TerminalError,
} from "eventplane";

type Decided = Decision | readonly Decision[] | undefined;

const text = { type: "string" } as const;
const job = defineAggregate("job", {
  spec: { type: "object", properties: { mode: text, text }, additionalProperties: false } as const,
  intents: { create: { creates: true }, change: {}, delete: { deletes: true } },
  guard: (_resource, intent) => (intent.spec.mode === "unwanted" ? "Nobody wants it." : undefined),
});

const mail = defineWorker({
  name: "mail",
  input: { type: "object", properties: { to: text } } as const,
  output: { type: "object", properties: { sent: { type: "boolean" } } } as const,
  run: ({ input }) => {
    if (input.to === "slow-call") hold();
    return { sent: true };
  },
});

/** For the memory of a thread. */
const kept: unknown[] = [];
let calls = 0;

/** Holds its thread for 2.5 s. */
function hold(): void {
  const end = performance.now() + 2_500;
  while (performance.now() < end) Math.sqrt(3);
}

function spin(): never {
  for (;;) Math.sqrt(3);
}

/** What may be decided, by mode. */
function decide({ resource, event, effects, lookup, now, random, log }: ReconcileContext): Decided {
  switch (resource.spec.mode) {
    case "chance":
      return done({ first: random(), second: random(), now, version: event.version, of: event.type });
    case "timer":
      return resource.status.worker === undefined
        ? { outcome: "progressing", status: { asked: true }, requeueAfterMs: 60_000 }
        : done({ woken: now });
    case "blocked":
      return blocked("TooEarly", `It waits for ${resource.aggregateId}.`);
    case "rejected":
      return reject("NotWanted", "It is not wanted.");
    case "several":
      return [
        { outcome: "progressing", status: { step: 1 } },
        done({ step: 2, nested: { "é\u2028": [1, null, "x"] } }),
      ];
    case "effect": {
      const answer = effects.get(mail, { to: resource.aggregateId });
      return answer.ok === undefined ? pending() : done({ sent: answer.ok.sent ?? false });
    }
    case "looks-up": {
      const other = lookup(job, "plain");
      return done({ other: (other?.status as JsonObject | undefined)?.calm ?? null, version: other?.version ?? null });
    }
    case "says":
      log.info("It says something.");
      log.warn("It warns.");
      return done();
    case "undefined":
      return undefined;
    case "throws":
      throw new TypeError("secret payload");
    case "terminal":
      throw new TerminalError("It cannot be done.");
    case "holds":
      hold();
      return done();
    case "hangs":
      return spin();
    case "exits":
      return process.exit(3);
    case "leaves-a-rejection":
      void Promise.reject(new RangeError("nobody waits for it"));
      return done();
    default:
      return odd(resource, effects) ?? done({ mode: resource.spec.mode ?? null });
  }
}

/** What no type would let through. */
function odd(resource: ReconcileContext["resource"], effects: ReconcileContext["effects"]): Decided {
  switch (resource.spec.mode) {
    case "promise":
      return Promise.resolve(done()) as unknown as Decided;
    case "no-json":
      return { outcome: "completed", status: { when: new Date(0), what: () => 1 } } as unknown as Decided;
    case "counts":
      return done({ calls: ++calls });
    case "no-decision":
      return { outcome: "finished" } as unknown as Decided;
    case "mutates":
      (resource.spec as { mode: string }).mode = "chance";
      return done();
    case "unknown-worker":
      effects.get({ definition: { ...mail.definition, name: "other" } }, {});
      return done();
    default:
      return undefined;
  }
}

/** Does what its spec says. */
const worker = defineController({
  name: "worker",
  watches: job,
  timeoutMs: 400,
  reconcile: (context) => decide(context as ReconcileContext),
});
/** Needs more memory than there is, and gets the time for it. */
const hoarder = defineController({
  name: "hoarder",
  watches: job,
  timeoutMs: 30_000,
  reconcile({ resource }) {
    while (resource.spec.mode === "hoards") kept.push(Array.from({ length: 10_000 }, (_, at) => ({ at })));
    return done();
  },
});
/** Does its part whatever the others do. */
const calm = defineController({
  name: "calm",
  watches: job,
  reconcile: ({ resource }) => done({ seen: resource.generation }),
});

const app: AppDefinition = defineApp({ aggregates: [job], controllers: [worker, hoarder, calm], workers: [mail] });
export default app;
