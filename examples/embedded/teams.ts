/** What the application does, whatever serves it: answers as a status and a JSON body. */
import { EventplaneError, isRetryable } from "eventplane";
import { type EmbeddedCaller, NotSettledError } from "eventplane/plane";
import { team } from "./eventplane.config.js";
import { plane } from "./plane.js";

/** An answer to a request. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly retryAfterSeconds?: number;
}

/** Who is logged in: the application knows, and says it to the plane. Here a table stands for your sessions. */
const sessions: Readonly<Record<string, { readonly tenant: string; readonly user: string }>> = {
  "session-of-ann": { tenant: "acme", user: "user-ann" },
  "session-of-bob": { tenant: "globex", user: "user-bob" },
};

const settleMs = 3_000;

/** Makes the customers of the table. */
export async function prepare(): Promise<void> {
  for (const { tenant } of Object.values(sessions)) await (await plane).createTenant(tenant);
}

/** Creates a team and answers when it is as it should be; 202 when that takes longer. */
export function createTeam(
  session: string | undefined,
  requestKey: string | undefined,
  spec: unknown,
): Promise<Answer> {
  return answer(session, async (me) => {
    // The pipeline checks it against the schema; what does not fit is a 422 below.
    const intent = team.create(spec as Parameters<typeof team.create>[0]);
    const options = requestKey === undefined ? {} : { idempotencyKey: requestKey };
    const { receipt, settled } = await me.publish(intent, { ...options, wait: "settled", timeoutMs: settleMs });
    const { aggregateId } = receipt;
    return { status: settled === "ready" ? 201 : 409, body: await shown(me, aggregateId) };
  });
}

/** One team. */
export function readTeam(session: string | undefined, aggregateId: string): Promise<Answer> {
  return answer(session, async (me) => {
    const body = await shown(me, aggregateId);
    return body === undefined ? { status: 404, body: { error: "There is no such team." } } : { status: 200, body };
  });
}

async function shown(me: EmbeddedCaller, aggregateId: string): Promise<object | undefined> {
  const resource = await me.resource(team, aggregateId);
  if (resource === undefined) return undefined;
  const { phase, spec, status, conditions } = resource;
  const why = conditions.find(({ type }) => type === "Rejected")?.message;
  return {
    id: aggregateId,
    phase,
    ...spec,
    granted: status.seats?.granted ?? null,
    ...(why === undefined ? {} : { why }),
  };
}

async function answer(session: string | undefined, work: (me: EmbeddedCaller) => Promise<Answer>): Promise<Answer> {
  const known = session === undefined ? undefined : sessions[session];
  if (known === undefined) return { status: 401, body: { error: "Log in first." } };
  try {
    const { tenant, user } = known;
    return await work((await plane).as({ tenant, principal: { id: user } }));
  } catch (error) {
    return failed(error);
  }
}

/** Whom to tell what: the caller of a refusal, nobody of our own faults. */
function failed(error: unknown): Answer {
  if (error instanceof NotSettledError)
    return { status: 202, body: { id: error.receipt.aggregateId, phase: "Progressing" } };
  if (isRetryable(error)) return { status: 503, body: { error: "Try again shortly." }, retryAfterSeconds: 1 };
  if (error instanceof EventplaneError && error.code !== "internal") {
    return { status: 422, body: { error: error.message, code: error.code } };
  }
  throw error;
}
