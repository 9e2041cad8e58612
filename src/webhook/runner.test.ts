import { beforeEach, describe, expect, test } from "vitest";
import { EventplaneError, type TenantId } from "../kernel/index.js";
import { VirtualClock } from "../testing/index.js";
import type { WebhookEntry } from "./directory.js";
import type { DeliveryClaim, WebhookKey } from "./port.js";
import { WebhookRunner, type WebhookRunnerOptions } from "./runner.js";
import { WebhookSecrets } from "./secrets.js";

const tenantId = "11111111-1111-8111-8111-111111111111" as TenantId;
const id = "22222222-2222-8222-8222-222222222222";
const own = new WebhookSecrets("the key of this process");
const foreign = new WebhookSecrets("the key of another process");
const day = 86_400;
/** As the store says with every end. */
const failingSeconds = 6 * day;

let clock: VirtualClock;
let errors: string[];
let webhook: WebhookEntry;
let deleted: WebhookKey[];
let position: number;
let due: DeliveryClaim[];
let claimed: number;
let forgotten: number;
let disabled: string[];
let isStoreAway: boolean;

beforeEach(() => {
  clock = new VirtualClock();
  [deleted, due, disabled, errors] = [[], [], [], []];
  [position, claimed, forgotten, isStoreAway] = [1, 0, 0, false];
  webhook = {
    id,
    tenantId,
    url: "https://hooks.example.com/",
    filter: {},
    parallel: 1,
    after: 0,
    state: "active",
    owner: { type: "service", id: "owner" },
    secret: own.name(id, 1),
    generation: 1,
    createdAtUs: 0,
  };
});

/** Runs one over what the test has set, while so many milliseconds pass. */
async function runFor(ms: number, meanwhile: () => Promise<void> = async () => undefined): Promise<void> {
  const logger = {
    warn: () => undefined,
    error: (_fields: unknown, message: string) => void errors.push(message),
  };
  const parts = {
    directory: {
      isFresh: true,
      get position() {
        return position;
      },
      active: () => [webhook],
      get: () => webhook,
      deleted: () => deleted,
      sightOf: () => () => true,
      disable: async (_webhook: WebhookEntry, state: string) => void disabled.push(state),
    },
    store: {
      places: async () => new Map([[id, { position: 0, waiting: 1, failingSince: null }]]),
      offer: async () => true,
      claim: async (wanted: readonly unknown[]) => {
        claimed += wanted.length;
        return due.splice(0);
      },
      end: async () => failingSeconds,
      release: async () => undefined,
      hurry: async () => undefined,
      forget: async (gone: readonly WebhookKey[]) => {
        if (isStoreAway) throw new EventplaneError("busy", "Not now.");
        forgotten += gone.length;
      },
    },
    reader: {
      read: async () => [],
      // It is a dead letter at once: an attempt that failed.
      readByIds: async () => {
        throw new EventplaneError("event_corrupt", "It does not hold together.");
      },
    },
    outbound: {},
    secrets: own,
    clock,
    random: () => 0,
    logger,
    metrics: { webhookDelivered: () => undefined, webhooksActive: () => undefined, webhookDisabled: () => undefined },
    doorbell: { ring: () => undefined, listen: () => () => undefined },
  } as unknown as WebhookRunnerOptions; // what is not there is not asked
  const stopped = new AbortController();
  const running = new WebhookRunner(parts).run(stopped.signal);
  await clock.advance(ms);
  await meanwhile();
  stopped.abort();
  await clock.advance(0);
  await running;
}

const claim: DeliveryClaim = { webhook: { tenantId, id }, eventId: id, position: 1, attempt: 1, leaseToken: id };

describe("a process with another key", () => {
  test("sends nothing from the moment on at which the secret is one of another's, and says so once of each", async () => {
    await runFor(2_000, async () => {
      const before = claimed;
      expect(before).toBeGreaterThan(0);
      for (const version of [2, 2, 2, 3]) {
        webhook = { ...webhook, secret: foreign.name(id, version) };
        position++;
        await clock.advance(1_000);
      }
      expect(claimed).toBe(before);
      expect(errors).toHaveLength(2);
      webhook = { ...webhook, secret: own.name(id, 4) };
      position++;
      await clock.advance(2_000);
      expect(claimed).toBeGreaterThan(before);
    });
  });
});

describe("a webhook that nothing succeeds at for days", () => {
  test("is given up", async () => {
    due = [claim];
    await runFor(2_000);
    expect(disabled).toEqual(["failing"]);
  });

  test("is not, as soon as somebody has let it go on: it has days again", async () => {
    for (const [days, expected] of [
      [1, []],
      [5, ["failing"]],
    ] as const) {
      webhook = { ...webhook, resumedAtUs: clock.nowUs() - days * day * 1_000_000 };
      due = [claim];
      await runFor(2_000);
      expect(disabled).toEqual(expected);
    }
  });
});

test("a webhook that is no more is forgotten also when the store did not get to it at first", async () => {
  deleted = [{ tenantId, id: "33333333-3333-8333-8333-333333333333" }];
  isStoreAway = true;
  await runFor(500, async () => {
    isStoreAway = false;
    await clock.advance(10_000);
    expect(forgotten).toBe(1);
  });
});
