/** The store that a contract suite works on, with short ways to append and read. */
import { strict as check } from "node:assert";
import type { EventRow } from "../event/index.js";
import { isEventplaneError, type TenantId } from "../kernel/index.js";
import type { Append, Appender, AppendItem, AppendOutcome, LogReader, Receipt, SignedAppend } from "../store/index.js";
import { appendOf, createTestSigner, signAppend, type TestSigner } from "./drafts.js";

/** An opened store. The signatures in it are of keys that it does not know. */
export interface StoreUnderTest {
  readonly edge: Appender;
  readonly runtime: Appender;
  readonly reader: LogReader;
  close(): Promise<void>;
}

type TierName = Appender["tier"];

/** Opened once for a suite. */
export class StoreFixture {
  readonly signers: Readonly<Record<TierName, TestSigner>> = {
    edge: createTestSigner("edge"),
    runtime: createTestSigner("runtime"),
  };
  #store: StoreUnderTest | undefined;

  use(store: StoreUnderTest): void {
    this.#store = store;
  }

  async close(): Promise<void> {
    await this.#store?.close();
  }

  get reader(): LogReader {
    return this.#opened().reader;
  }

  /** One call of many appends. */
  call(tier: TierName, appends: readonly Append[]): Promise<readonly AppendOutcome[]> {
    return this.signedCall(
      tier,
      appends.map((append) => signAppend(this.signers[tier], append)),
    );
  }

  /** One call of appends that are signed already. */
  signedCall(tier: TierName, appends: readonly SignedAppend[]): Promise<readonly AppendOutcome[]> {
    return this.#opened()[tier].append(appends);
  }

  /** One call of one append, by the tier that its effects belong to. */
  async append(...items: readonly [AppendItem, ...AppendItem[]]): Promise<AppendOutcome> {
    const tier = items[0].effect === "derived" || items[0].effect === "finishes" ? "runtime" : "edge";
    const outcomes = await this.call(tier, [appendOf(...items)]);
    check.equal(outcomes.length, 1, "one outcome for one append");
    return defined(outcomes[0]);
  }

  /** An append that must succeed, with its receipts. */
  async appended(...items: readonly [AppendItem, ...AppendItem[]]): Promise<readonly Receipt[]> {
    const outcome = await this.append(...items);
    check.equal(outcome.result, "appended", JSON.stringify(outcome));
    // The line above has checked it.
    return (outcome as Extract<AppendOutcome, { result: "appended" }>).receipts;
  }

  /** The whole log of a tenant with few events. */
  log(tenantId: TenantId): Promise<readonly EventRow[]> {
    return this.reader.read(tenantId, { limit: 1000 });
  }

  #opened(): StoreUnderTest {
    return defined(this.#store);
  }
}

/** The value, which the test has made sure of. */
export function defined<T>(value: T | undefined): T {
  check.notEqual(value, undefined);
  // The line above has checked it.
  return value as T;
}

/** Checks that an append was refused with this code at this index. */
export function checkRefused(outcome: AppendOutcome | undefined, code: string, index = 0): void {
  check.deepEqual(outcome?.result === "refused" ? { code: outcome.code, index: outcome.index } : outcome, {
    code,
    index,
  });
}

/** Checks that the call throws an EventplaneError of this code. */
export async function checkThrows(work: Promise<unknown>, code: string): Promise<void> {
  await check.rejects(work, (error: unknown) => isEventplaneError(error) && error.code === code);
}
