/** Requests to an edge and what came of them: parts that tests of the edge share. */
import { systemClock, type TenantId } from "../../src/kernel/index.js";
import type { LogReader } from "../../src/store/index.js";

/** Polls until `look` gives something, at most 5 s. */
export async function eventually<T>(look: () => T | undefined | Promise<T | undefined>, what: string): Promise<T> {
  const deadline = performance.now() + 5_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`Not within 5 s: ${what}`);
    await systemClock.sleep(20);
  }
}

/** A request with a key. */
export function call(
  key: string | undefined,
  init: { readonly method?: string; readonly body?: unknown; readonly headers?: Record<string, string> } = {},
): RequestInit {
  const { body } = init;
  const raw = typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
  return {
    method: init.method ?? (body === undefined ? "GET" : "POST"),
    headers: {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...init.headers,
    },
    ...(body === undefined ? {} : { body: raw }),
  };
}

/** The members that tests look at in answers; an answer has some of them. */
export interface Answer {
  readonly id: string;
  readonly key: string;
  readonly tenantId: string;
  readonly aggregateId: string;
  readonly correlationId: string;
  readonly code: string;
  readonly detail: string;
  readonly status: number;
  readonly requestId: string;
  readonly pointers: readonly string[];
  readonly rule: string;
  readonly generation: number;
  readonly results: readonly {
    readonly result: string;
    readonly receipt: { readonly generation: number };
    readonly problem: { readonly pointers: readonly string[]; readonly code: string };
  }[];
}

/** The JSON of an answer. */
export async function answerOf(response: Response): Promise<Answer> {
  return (await response.json()) as Answer; // a test that looks at an absent member fails
}

/** Specs of the refusals that the tenant's log holds. */
export async function refusalsIn(
  reader: LogReader,
  tenantId: TenantId,
): Promise<readonly { readonly code: string; readonly count: number; readonly principal: string }[]> {
  const rows = await reader.read(tenantId, { filter: { type: "refusal.recorded" }, limit: 1_000 });
  return rows.map((row) => JSON.parse(row.specText) as { code: string; count: number; principal: string }); // as refusals.ts writes it
}
