/** Two tenants of one plane: a victim with something to lose, and an attacker with a good key of its own. */
import type { IntentMessage } from "../../controller/index.js";
import { EventplaneError, type JsonObject, type JsonValue, systemIds } from "../../kernel/index.js";
import type { Receipt } from "../../store/index.js";
import { send } from "./http.js";

/** What the keys of the scene may do. */
export type SceneGrant = "publisher" | "reader" | "subscriber" | "admin";

/** What is attacked: a plane that serves HTTP, where tenants and keys can be made. */
export interface HostileTarget {
  /** Where it listens. */
  readonly url: string | undefined;
  /** Begins to listen; for planes that do not. */
  listen?(): Promise<string>;
  createTenant(slug: string): Promise<string>;
  createKey(
    tenant: string,
    wish: { readonly name: string; readonly grants: readonly SceneGrant[] },
  ): Promise<{ readonly key?: string }>;
}

/** A tenant of the scene. */
export interface SceneTenant {
  readonly slug: string;
  readonly id: string;
  /** Publishes, reads and subscribes. */
  readonly key: string;
  /** Reads only. */
  readonly readerKey: string;
  /** Administers the tenant. */
  readonly adminKey: string;
}

/** One event as reads give it. */
export type SeenEvent = Pick<Receipt, "id" | "tenantId" | "position" | "hash" | "correlationId">;

/** What attacks are made of. */
export interface Scene {
  readonly url: string;
  readonly attacker: SceneTenant;
  readonly victim: SceneTenant;
  /** Of the victim: what it published, and what it got for it. */
  readonly planted: readonly { readonly intent: IntentMessage; readonly receipt: Receipt }[];
  /** Texts that the attacker may never receive. */
  readonly canaries: readonly string[];
  /** Every intent type that the plane takes. */
  readonly types: readonly string[];
  /** The victim's log before the attacks. */
  readonly before: readonly SeenEvent[];
}

const canaryWord = /canary/i;

/**
 * Makes the tenants, and lets the victim publish.
 *
 * @throws EventplaneError `usage` when the victim's intents are none, are refused, or have no canary in them
 */
export async function setScene(target: HostileTarget, intents: readonly IntentMessage[]): Promise<Scene> {
  const url = target.url ?? (await target.listen?.());
  if (url === undefined) throw unusable("the plane does not listen: open it with http: { port: 0 }");
  const suffix = systemIds.uuid4().slice(0, 8);
  const attacker = await makeTenant(target, `attacker-${suffix}`);
  const victim = await makeTenant(target, `victim-${suffix}`);
  const planted: { intent: IntentMessage; receipt: Receipt }[] = [];
  for (const intent of intents) planted.push({ intent, receipt: await publish(url, victim, intent) });
  const words = intents.flatMap(({ spec }) => textsIn(spec)).filter((text) => canaryWord.test(text));
  if (words.length === 0) {
    throw unusable("give the victim at least one intent with a text in its spec that has the word canary in it");
  }
  const canaries = [...new Set([...words, ...planted.map(({ receipt }) => receipt.hash)])];
  const types = await typesOf(url, attacker);
  return { url, attacker, victim, planted, canaries, types, before: await logOf(url, victim) };
}

/** All of a tenant's log, as its own reader sees it. */
export async function logOf(url: string, { slug, key }: SceneTenant): Promise<readonly SeenEvent[]> {
  const events: SeenEvent[] = [];
  for (let after: number | null = 0; after !== null; ) {
    const { body, status } = await send(url, {
      method: "GET",
      path: `/v1/tenants/${slug}/events?limit=1000&after=${after}`,
      key,
    });
    if (status !== 200) throw unusable(`the log of ${slug} cannot be read: status ${status}`);
    const page = JSON.parse(body) as { readonly events: readonly SeenEvent[]; readonly next: number | null }; // the edge's own form
    events.push(...page.events);
    after = page.next;
  }
  return events;
}

async function makeTenant(target: HostileTarget, slug: string): Promise<SceneTenant> {
  const id = await target.createTenant(slug);
  const keyWith = async (name: string, grants: readonly SceneGrant[]): Promise<string> => {
    const { key } = await target.createKey(slug, { name, grants });
    if (key === undefined) throw unusable(`no key could be made for ${slug}`);
    return key;
  };
  const key = await keyWith("hostile-tenant-test", ["publisher", "reader", "subscriber"]);
  const readerKey = await keyWith("hostile-tenant-test-reader", ["reader"]);
  const adminKey = await keyWith("hostile-tenant-test-admin", ["admin"]);
  return { slug, id, key, readerKey, adminKey };
}

async function publish(url: string, { slug, key }: SceneTenant, intent: IntentMessage): Promise<Receipt> {
  const sent = { method: "POST", path: `/v1/tenants/${slug}/intents`, key, body: JSON.stringify(intent) } as const;
  const { status, body } = await send(url, sent);
  if (status === 201) return JSON.parse(body) as Receipt; // the edge's own form
  throw unusable(`the plane refuses the victim's ${intent.type} with status ${status}: ${body.slice(0, 300)}`);
}

async function typesOf(url: string, { slug, key }: SceneTenant): Promise<readonly string[]> {
  const { body } = await send(url, { method: "GET", path: `/v1/tenants/${slug}/schemas`, key });
  const { schemas } = JSON.parse(body) as { readonly schemas: readonly { readonly type: string }[] }; // the edge's own form
  return [...new Set(schemas.map(({ type }) => type))];
}

function textsIn(value: JsonValue | JsonObject): readonly string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

function unusable(why: string): EventplaneError {
  return new EventplaneError("usage", `hostileTenant cannot begin: ${why}.`);
}
