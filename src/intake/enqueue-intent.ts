/**
 * `enqueueIntent`: an intent that is written by the application's own transaction, into its own database.
 *
 * It needs no plane, no network and no package but this one: one INSERT, with whatever client the application has.
 */
import { randomUUID } from "node:crypto";
import { EventplaneError, limits } from "../kernel/index.js";
import { intakeSchemaDefault, isIdentifier } from "./intake-schema.js";

/** Anything with `query(text, values)`: a client of `pg` inside its transaction. */
export interface IntakeClient {
  query(text: string, values: unknown[]): Promise<unknown>;
}

/** Any other client: `(text, values) => sql.unsafe(text, values)`, `(text, values) => tx.$executeRawUnsafe(text, ...values)`. */
export type IntakeQuery = (text: string, values: string[]) => Promise<unknown>;

/** An intent and who asks for it. */
export interface EnqueuedIntent {
  /** Slug or id, always the same of both: rows that name a tenant differently have no order between them. */
  readonly tenant: string;
  /** Opaque and no personal datum: every event that follows holds it. `type` is `user` by default. */
  readonly principal: { readonly id: string; readonly type?: string };
  /** As `plane.as(…).publish` takes it, without an id: that follows from the row. */
  readonly intent: {
    readonly type: string;
    readonly spec?: object;
    readonly aggregateId?: string;
    readonly id?: string | undefined;
  };
  /** The intake's schema; default `eventplane_intake`. */
  readonly schema?: string;
}

/** Characters of the intent's JSON that the table takes. */
export const intakeCharactersMax: number = 2 * limits.eventBytesMax;

/**
 * Writes the intent with the caller's transaction: it will be published if that commits, once, and never if it does not.
 *
 * Intents of one stream are published in the order of their transactions where these follow one another, and in the order of
 * the calls within one. What the plane refuses stays in the table with its reason: `evtctl intake status`.
 *
 * @example
 * await client.query("begin");
 * await client.query("insert into orders …");
 * await enqueueIntent(client, { tenant: "acme", principal: { id: userId }, intent: order.place({ total: 12 }) });
 * await client.query("commit");
 * @returns the row's id, by which `evtctl intake` knows it
 * @throws EventplaneError `forbidden_field` for an intent with an id, `payload_too_large`, `config_invalid` for a schema that
 * is none; what the client throws, as it is: the transaction is the caller's
 */
export async function enqueueIntent(
  client: IntakeClient | IntakeQuery,
  { tenant, principal, intent, schema = intakeSchemaDefault }: EnqueuedIntent,
): Promise<{ readonly rowId: string }> {
  if (!isIdentifier(schema)) throw new EventplaneError("config_invalid", "An intake's schema is a plain name of SQL.");
  if (intent.id !== undefined) {
    const message = "An intent of an intake has no id of its own: it gets one from its row. Leave it out.";
    throw new EventplaneError("forbidden_field", message, { details: { pointer: "/id" } });
  }
  const text = JSON.stringify(intent);
  if (text.length > intakeCharactersMax) {
    const message = `The intent has ${text.length} characters; an intake takes ${intakeCharactersMax}.`;
    throw new EventplaneError("payload_too_large", message);
  }
  const rowId = randomUUID();
  const values = [rowId, tenant, principal.type ?? "user", principal.id, text];
  const sql = insertSql(schema);
  await (typeof client === "function" ? client(sql, values) : client.query(sql, values));
  return { rowId };
}

/** All parameters are texts: some clients would write a JSON parameter out once more. */
function insertSql(schema: string): string {
  return `insert into "${schema}".intents (row_id, tenant, principal_type, principal_id, intent)
values ($1::text::uuid, $2::text, $3::text, $4::text, $5::text::json)`;
}
