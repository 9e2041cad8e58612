/** The contract suite of the transport: every adapter of src/transport/port.ts passes it. */
import { strict as check } from "node:assert";
import { isEventplaneError, systemClock, systemIds } from "../kernel/index.js";
import type { IncomingMessage, Transport } from "../transport/index.js";
import type { TestRunner } from "./test-runner.js";

/** An opened transport. */
export interface TransportUnderTest {
  readonly transport: Transport;
  /** It ends and comes back with what it had, or with nothing; resolves when it can be reached again. */
  restart(options: { readonly isWiped: boolean }): Promise<void>;
  close(): Promise<void>;
}

const waitMsMax = 15_000;
const stepMs = 10;

/** Declares the suite for one adapter. */
export function transportContract(runner: TestRunner, name: string, open: () => Promise<TransportUnderTest>): void {
  runner.describe(`transport contract: ${name}`, () => {
    let under: TransportUnderTest;
    runner.beforeAll(async () => {
      under = await open();
    });
    runner.afterAll(() => under.close());

    const root = (): string => `eventplane.fact.${systemIds.uuid4()}`;
    const send = (subject: string, body = "{}", id = systemIds.uuid4()): ReturnType<Transport["publish"]> =>
      under.transport.publish({ subject, id, body: Buffer.from(body) });

    runner.it("carries subject, id and every byte to who listens", async () => {
      const heard: IncomingMessage[] = [];
      const subject = `${root()}.order.placed`;
      const stop = await under.transport.subscribe(subject, (message) => heard.push(message));
      await send(subject, '{"name":"Äcme \u2028 👋"}', "one");
      await until(() => heard.length === 1);
      await stop();
      const [{ body, ...rest } = { body: new Uint8Array() }] = heard;
      check.deepEqual(rest, { subject, id: "one" });
      check.equal(Buffer.from(body).toString("utf8"), '{"name":"Äcme \u2028 👋"}');
    });

    runner.it("gives places that grow, and takes an id once", async () => {
      const subject = `${root()}.order.placed`;
      const first = await send(subject, "{}", "twice");
      const second = await send(subject);
      check.ok(second.sequence > first.sequence);
      const again = await send(subject, "{}", "twice");
      check.deepEqual(again, { isRepeated: true, sequence: first.sequence });
      check.ok((await under.transport.standing()).sequence >= second.sequence);
    });

    runner.it("hears the patterns that it was asked for, in order, and nothing after the end", async () => {
      const tenant = root();
      const heard: string[] = [];
      const listen = (pattern: string): Promise<() => Promise<void>> =>
        under.transport.subscribe(pattern, ({ subject, body }) =>
          heard.push(`${pattern.slice(tenant.length)} ${subject.slice(tenant.length)} ${Buffer.from(body).toString()}`),
        );
      const stops = await Promise.all([listen(`${tenant}.>`), listen(`${tenant}.*.placed`)]);
      for (let n = 0; n < 50; n++) await send(`${tenant}.order.placed`, String(n));
      await send(`${tenant}.order.placed.late`, "x");
      await until(() => heard.length === 101);
      const of = (pattern: string): string[] => heard.filter((line) => line.startsWith(pattern));
      check.deepEqual(
        of(".*.placed "),
        Array.from({ length: 50 }, (_, n) => `.*.placed .order.placed ${n}`),
      );
      check.deepEqual(of(".> ").at(-1), ".> .order.placed.late x");
      await Promise.all(stops.map((stop) => stop()));
      await send(`${tenant}.order.placed`, "unheard");
      await under.transport.standing();
      check.equal(heard.length, 101);
    });

    runner.it("refuses subjects that would be another place, and what is too large", async () => {
      for (const subject of [
        "eventplane.fact.*.x",
        "eventplane.>",
        "eventplane..x",
        "a b",
        "a\r\nPUB b 0",
        "",
        "x".repeat(300),
      ])
        check.equal(await codeOf(send(subject)), "request_invalid", subject);
      const body = "x".repeat(under.transport.bodyBytesMax + 1);
      check.equal(await codeOf(send(`${root()}.a.b`, body)), "payload_too_large");
      check.ok((await send(`${root()}.a.b`, body.slice(1))).sequence > 0);
    });

    runner.it("keeps what it acknowledged when it ends and comes back, and says that it was away", async () => {
      const subject = `${root()}.a.b`;
      const { reconnects } = under.transport;
      const before = await send(subject, "{}", "kept");
      const { epoch } = await under.transport.standing();
      await under.restart({ isWiped: false });
      check.deepEqual(await patiently(() => send(subject, "{}", "kept")), { ...before, isRepeated: true });
      check.equal((await under.transport.standing()).epoch, epoch);
      check.ok(under.transport.reconnects > reconnects);
    });

    runner.it("tells by its epoch that it has nothing any more", async () => {
      const subject = `${root()}.a.b`;
      await send(subject, "{}", "lost");
      const { epoch } = await under.transport.standing();
      await under.restart({ isWiped: true });
      const after = await patiently(() => under.transport.standing());
      check.notEqual(after.epoch, epoch);
      check.equal(after.sequence, 0);
      check.equal((await send(subject, "{}", "lost")).isRepeated, false);
    });
  });
}

async function codeOf(action: Promise<unknown>): Promise<string | undefined> {
  try {
    await action;
    return undefined;
  } catch (error) {
    return isEventplaneError(error) ? error.code : String(error);
  }
}

/** Again while it cannot be reached. */
async function patiently<Result>(action: () => Promise<Result>): Promise<Result> {
  const endMs = systemClock.monotonicMs() + waitMsMax;
  for (;;) {
    try {
      return await action();
    } catch (error) {
      if (!isEventplaneError(error, "unavailable") || systemClock.monotonicMs() > endMs) throw error;
      await systemClock.sleep(stepMs);
    }
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (const endMs = systemClock.monotonicMs() + waitMsMax; !condition(); ) {
    check.ok(systemClock.monotonicMs() < endMs, "it did not arrive in time");
    await systemClock.sleep(stepMs);
  }
}
