/**
 * A hostile tenant on a plane that runs your app: a customer with good keys that tries to read, count, change and break
 * what is another's. Over HTTP, with the keys that a customer can have: of every grant.
 */
import type { IntentMessage } from "../../controller/index.js";
import type { Attack } from "./attack.js";
import type { AttackClass } from "./attacks.js";
import { attackClasses } from "./attacks.js";
import { type Got, type Sent, send } from "./http.js";
import { type HostileTarget, logOf, type Scene, setScene } from "./scene.js";

/** What to attack with. */
export interface HostileOptions<Message extends IntentMessage = IntentMessage> {
  /**
   * What the victim has: at least one intent that begins a resource, best one for each aggregate, with the word `canary`
   * in a text of its spec, so that a leak is noticed.
   */
  readonly victim: readonly Message[];
  /** Default all. */
  readonly classes?: readonly AttackClass[];
  /** Of the attacks over every route only those on these, as `GET /v1/tenants/:t/events`; default all. */
  readonly routes?: readonly string[];
  /** Hears of every answer that the attacker gets, for checks of one's own; what it throws ends the attack. */
  readonly onAnswer?: (sent: Sent, got: Got) => void;
}

/** Something that should not have been possible. */
export interface Breach {
  readonly class: AttackClass | "afterwards";
  /** What was tried. */
  readonly what: string;
  /** What came of it. */
  readonly why: string;
}

/** What came of it all. */
export interface HostileReport {
  readonly breaches: readonly Breach[];
  /** Tries by class. */
  readonly tries: Readonly<Partial<Record<AttackClass, number>>>;
}

const allClasses = Object.keys(attackClasses) as readonly AttackClass[]; // the keys of the table

/**
 * Makes two tenants, `victim-…` and `attacker-…`, and lets the second attack the first.
 *
 * Each try must be refused as if there were nothing, or be harmless; nothing that the attacker receives may hold a canary; no
 * try may be a failure of the plane (5xx), which also finds guards and folds of the app that throw. Afterwards the
 * victim's log must be as it was but for what its own intents go on to do, and no prototype of this process be polluted.
 *
 * @example assert.deepEqual((await hostileTenant(plane, { victim: [organization.create({ name: "Canary", plan: "team" })] })).breaches, []);
 * @throws EventplaneError `usage` when it cannot begin: the plane does not listen, the victim's intents are refused or have no canary
 */
export async function hostileTenant<Message extends IntentMessage>(
  target: HostileTarget,
  { victim, classes = allClasses, routes, onAnswer = () => undefined }: HostileOptions<Message>,
): Promise<HostileReport> {
  const scene = await setScene(target, victim);
  const breaches: Breach[] = [];
  const tries: Partial<Record<AttackClass, number>> = {};
  for (const name of classes) {
    const attacks = attackClasses[name](scene).filter(
      ({ route }) => route === undefined || routes === undefined || routes.includes(route),
    );
    tries[name] = attacks.length;
    for (const attack of attacks) {
      const why = await breachOf(scene, attack, onAnswer);
      if (why !== undefined) breaches.push({ class: name, what: described(attack), why });
    }
  }
  breaches.push(...(await aftermath(scene)));
  return { breaches, tries };
}

async function breachOf(
  scene: Scene,
  { sent, expected }: Attack,
  onAnswer: (sent: Sent, got: Got) => void,
): Promise<string | undefined> {
  const got = await send(scene.url, sent);
  onAnswer(sent, got);
  const leaked = leakIn(scene, got);
  if (leaked !== undefined) return leaked;
  if (got.status >= 500) return `the plane failed with status ${got.status}: ${got.body.slice(0, 200)}`;
  if (expected.is === "status" && got.status !== expected.status)
    return `it was answered ${got.status} instead of ${expected.status}`;
  if (expected.is === "refused" && got.status < 400) return `it was not refused, but answered ${got.status}`;
  if (expected.is === "once") return doneAgain(scene, { sent, got, other: expected.other }, onAnswer);
  if (expected.is !== "like") return undefined;
  const twin = await send(scene.url, expected.twin);
  const [one, other] = [comparable(got, expected.names), comparable(twin, expected.names)];
  return one === other
    ? undefined
    : `it is told apart from what does not exist: ${one.slice(0, 200)} and ${other.slice(0, 200)}`;
}

const repetitions = 5;

/** What is wrong with the answers to a request that was sent again, all at once, and to its twin with other content. */
async function doneAgain(
  scene: Scene,
  { sent, got, other }: { readonly sent: Sent; readonly got: Got; readonly other: Sent },
  onAnswer: (sent: Sent, got: Got) => void,
): Promise<string | undefined> {
  const first = madeBy(got);
  if (first === undefined) return `it could not be tried: the first was answered ${got.status}`;
  const again = await Promise.all(Array.from({ length: repetitions }, () => send(scene.url, sent)));
  for (const each of again) onAnswer(sent, each);
  const twice = again.find((each) => madeBy(each) !== first);
  if (twice !== undefined) return `sent again it was another thing: ${twice.status} ${twice.body.slice(0, 200)}`;
  const refused = await send(scene.url, other);
  onAnswer(other, refused);
  return refused.status === 422
    ? undefined
    : `other content under the same key was answered ${refused.status} instead of 422`;
}

/** The id of what was made, and its place in the log where the answer says it. */
function madeBy({ status, body }: Got): string | undefined {
  if (status !== 200 && status !== 201) return undefined;
  const { id, position } = JSON.parse(body) as { readonly id?: unknown; readonly position?: unknown }; // the edge's own form
  return `${String(id)} ${String(position)}`;
}

function leakIn({ canaries, victim }: Scene, { text, body, status }: Got): string | undefined {
  const canary = canaries.find((each) => text.includes(each));
  if (canary !== undefined) return `the answer (${status}) holds what is the victim's: ${canary}`;
  return body.includes(`"tenantId":"${victim.id}"`) ? `the answer (${status}) holds an event of the victim` : undefined;
}

/** An answer without what differs from request to request, and with both names as one. */
function comparable({ status, body }: Got, names: readonly (readonly [string, string])[]): string {
  const same = names.reduce(
    (text, [one, other], index) => text.replaceAll(one, `#${index}`).replaceAll(other, `#${index}`),
    body,
  );
  const steady = same
    .replaceAll(/"(requestId|id|correlationId|causationId|hash|recordedAt|aggregateId)":"[^"]*"/g, '"$1":"…"')
    .replaceAll(/"(position|version|generation|next)":\d+/g, '"$1":0')
    .replaceAll(/^(id|data): .*$/gm, "$1: …");
  return `${status} ${steady}`;
}

async function aftermath(scene: Scene): Promise<readonly Breach[]> {
  const { url, attacker, victim, before, planted } = scene;
  const afterwards = (what: string, why: string): Breach => ({ class: "afterwards", what, why });
  const breaches: Breach[] = [];
  const now = await logOf(url, victim);
  const changed = before.find(({ hash }, index) => now[index]?.hash !== hash);
  if (changed !== undefined) breaches.push(afterwards("the victim's log", `event ${changed.id} is not what it was`));
  const own = new Set(planted.map(({ receipt }) => receipt.correlationId));
  const foreign = now.slice(before.length).find(({ correlationId }) => !own.has(correlationId));
  if (foreign !== undefined) {
    breaches.push(
      afterwards("the victim's log", `event ${foreign.id} at position ${foreign.position} is not of its own doing`),
    );
  }
  const strange = (await logOf(url, attacker)).find(({ tenantId }) => tenantId !== attacker.id);
  if (strange !== undefined)
    breaches.push(afterwards("the attacker's log", `event ${strange.id} is of another tenant`));
  if ("polluted" in {})
    breaches.push(afterwards("this process", "Object.prototype has a member that the attacker sent"));
  return breaches;
}

function described({ what, sent }: Attack): string {
  return `${what}: ${shownRequest(sent)}`;
}

function shownRequest({ method, path, body }: Sent): string {
  const text = body === undefined ? "" : ` ${Buffer.from(body).toString("utf8").slice(0, 120)}`;
  return `${method} ${path.slice(0, 160)}${text}`;
}
