/** Attacks over every route of the edge: a new route is attacked as soon as it is described. */
import { type JsonObject, limits, systemIds } from "../../kernel/index.js";
import { type Attack, type Expectation, intentOf } from "./attack.js";
import type { Sent } from "./http.js";
import { type AddressValues, pathNames, type RouteRequest, readdressed, routeRequests } from "./route-requests.js";
import type { Scene } from "./scene.js";

const refused: Expectation = { is: "refused" };
const harmless: Expectation = { is: "harmless" };
const status = (code: number): Expectation => ({ is: "status", status: code });

/** The victim's addresses with the attacker's keys, its administrator's too: as for a tenant that does not exist. */
export function otherTenant(scene: Scene): readonly Attack[] {
  const { attacker, victim } = scene;
  const nobody = { slug: `nobody-${systemIds.uuid4().slice(0, 8)}`, id: systemIds.uuid4() };
  const tries = [
    { meant: victim.slug, twin: nobody.slug, key: attacker.key },
    { meant: victim.id, twin: nobody.id, key: attacker.adminKey },
  ];
  return scene.planted.flatMap(({ receipt, intent }) =>
    tries.flatMap(({ meant, twin, key }) => {
      const values = valuesOf(receipt);
      const others = routeRequests({ ...values, t: twin, tenant: twin });
      return routeRequests({ ...values, t: meant, tenant: meant }).flatMap((request, index) => {
        const other = others[index];
        if (other === undefined || request.sent.path === other.sent.path) return [];
        const withKey = ({ sent }: RouteRequest): Sent => ({ ...sent, ...bodyFor(request, intent), key });
        const names = [[meant, twin]] as const;
        return formsOf(request).map((accept): Attack => {
          const as = (sent: Sent): Sent => ({ ...sent, headers: { ...sent.headers, accept } });
          const expected: Expectation = { is: "like", twin: as(withKey(other)), names };
          const what = `another tenant looks like none: ${request.route} as ${accept}`;
          return { what, sent: as(withKey(request)), expected, route: request.route };
        });
      });
    }),
  );
}

/** What every route must refuse, or take without harm, whoever asks. */
export function everyRoute(scene: Scene): readonly Attack[] {
  const { attacker, planted } = scene;
  const [first] = planted;
  if (first === undefined) return [];
  const values = { ...valuesOf(first.receipt), t: attacker.slug, tenant: attacker.slug };
  return routeRequests(values).flatMap((request) => {
    if (request.credential === "none") return [];
    const sent: Sent = { ...request.sent, ...bodyFor(request, intentOf(first.intent)) };
    const asked = { request, sent: { ...sent, key: keyFor(scene, request) }, values };
    const attacks = [
      ...withoutRight(scene, request, sent),
      ...hostileAddresses(asked),
      ...hostileHeaders(scene, asked),
      ...(sent.body === undefined ? [] : hostileBodies(scene, asked)),
    ];
    return attacks.map((attack) => ({ ...attack, route: request.route }));
  });
}

/** What takes an Idempotency-Key is done once, however often it comes. */
export function repeats(scene: Scene): readonly Attack[] {
  const { attacker, planted } = scene;
  const [first] = planted;
  if (first === undefined) return [];
  const [, readerKeyId = ""] = attacker.readerKey.split("_");
  return routeRequests({ ...valuesOf(first.receipt), t: attacker.slug, id: readerKeyId }).flatMap((request) => {
    const { operation, route } = request;
    if (operation.headers?.["idempotency-key"] === undefined) return [];
    const headers = { ...request.sent.headers, "idempotency-key": `linnet7-${systemIds.uuid4()}` };
    const { body = "{}" } = bodyFor(request, intentOf(first.intent));
    const sent: Sent = { ...request.sent, headers, body, key: keyFor(scene, request) };
    const other = { ...sent, body: JSON.stringify(changed(operation, JSON.parse(body) as JsonObject)) }; // made above, of an object
    return [{ what: `sent again: ${route}`, sent, expected: { is: "once", other }, route }];
  });
}

/** The body with other content that is as good. */
function changed({ id }: RouteRequest["operation"], body: JsonObject): JsonObject {
  if (id === "publish") return { ...body, aggregateId: systemIds.uuid7() };
  const [name = "", value] = Object.entries(body)[0] ?? [];
  return { ...body, [name]: typeof value === "number" ? value - 1 : `${String(value)}-linnet7` };
}

/** The media types that it is answered with, of which any may leak. */
function formsOf({ operation }: RouteRequest): readonly string[] {
  const forms = Object.values(operation.answers).flatMap(({ content = {} }) => Object.keys(content));
  return forms.length === 0 ? ["*/*"] : [...new Set(forms)];
}

interface Asked {
  readonly request: RouteRequest;
  /** A good request, with the key that may make it. */
  readonly sent: Sent;
  readonly values: AddressValues;
}

function withoutRight(
  { attacker }: Scene,
  { route, credential, sent: { method } }: RouteRequest,
  sent: Sent,
): Attack[] {
  const odd = { ...sent, headers: { ...sent.headers, authorization: "Bearer linnet7 linnet7" } };
  const attacks: Attack[] = [
    { what: `without a credential: ${route}`, sent, expected: status(401) },
    { what: `with a credential that is none: ${route}`, sent: odd, expected: status(401) },
  ];
  if (credential === "signature") return attacks;
  if (isAdministration(route)) {
    attacks.push({
      what: `a key that does not administer: ${route}`,
      sent: { ...sent, key: attacker.key },
      expected: status(403),
    });
  } else if (method !== "GET") {
    attacks.push({
      what: `a reader's key writes: ${route}`,
      sent: { ...sent, key: attacker.readerKey },
      expected: status(403),
    });
  }
  return attacks;
}

/** What would mean something to a path, a transport, a terminal, a log or a query language. */
const hostileTexts = [
  "%1b%5b31m%e2%80%a8%e2%80%aelinnet7",
  "..%2f..",
  "%00",
  "%0d%0aX-Evil:%201",
  "%3e",
  "*",
  "%ff",
  "'--",
  "a".repeat(600),
];

function hostileAddresses({ request, sent, values }: Asked): readonly Attack[] {
  const { operation, query, route } = request;
  const [bare = ""] = sent.path.split("?", 1);
  const place = "0hostile0";
  const inPath = pathNames(request).flatMap((name) => {
    const { path } = readdressed(request, { ...values, [name]: place }, query);
    return hostileTexts.map((text): Attack => {
      const what = `${text.slice(0, 40)} as :${name} of ${route}`;
      return { what, sent: { ...sent, path: path.replace(place, text) }, expected: name === "t" ? refused : harmless };
    });
  });
  const inQuery = Object.keys(operation.query ?? {}).flatMap((name) =>
    hostileTexts.slice(0, 3).map((text): Attack => {
      const what = `${text} as ${name} of ${route}`;
      return { what, sent: { ...sent, path: `${bare}?${name}=${text}` }, expected: harmless };
    }),
  );
  if (operation.takesOtherParameters === true || request.credential === "signature") return [...inPath, ...inQuery];
  const unknown = `${sent.path}${sent.path.includes("?") ? "&" : "?"}`;
  return [
    ...inPath,
    ...inQuery,
    { what: `an unknown parameter of ${route}`, sent: { ...sent, path: `${unknown}linnet7=%1b` }, expected: refused },
    ...Object.keys(operation.query ?? {})
      .slice(0, 1)
      .map(
        (name): Attack => ({
          what: `a parameter twice of ${route}`,
          sent: { ...sent, path: `${bare}?${name}=a&${name}=b` },
          expected: refused,
        }),
      ),
  ];
}

/** Headers say nothing of who asks, and of whose data: what comes is the attacker's own, or nothing. */
function hostileHeaders({ victim }: Scene, { request: { route }, sent }: Asked): readonly Attack[] {
  const forged = { "x-tenant-id": victim.id, "x-eventplane-tenant": victim.slug, "x-forwarded-user": "admin" };
  const headers = { ...sent.headers, ...forged, traceparent: "00-1", "x-request-id": "linnet7" };
  return [{ what: `headers of another tenant: ${route}`, sent: { ...sent, headers }, expected: harmless }];
}

const tooLarge = Buffer.alloc(limits.bodyBytesMax + 1, " ");

function hostileBodies({ victim }: Scene, { request: { route }, sent }: Asked): readonly Attack[] {
  const text = String(sent.body);
  const inside = (member: string): string => text.replace("{", `{${member},`);
  const bodies: readonly (readonly [string, string | Uint8Array, Record<string, string>?])[] = [
    ["the tenant in the body", inside(`"tenantId":${JSON.stringify(victim.id)}`)],
    ["a forged causedBy", inside('"causedBy":{"principal":{"type":"user","id":"admin"}}')],
    ["an unknown member with a control character", inside('"\\u001b[31m\\u2028linnet7":1')],
    ["__proto__", inside('"__proto__":{"polluted":true}')],
    ["a member twice", inside('"a":1,"a":2')],
    ["depth 5,000", inside(`"a":${"[".repeat(5_000)}${"]".repeat(5_000)}`)],
    ["an unsafe number", inside('"a":9007199254740993')],
    ["NUL", inside('"a":"\\u0000"')],
    ["a lone surrogate", inside('"a":"\\ud800"')],
    ["invalid UTF-8", Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.from([0xff, 0xfe])])],
    ["no JSON", text.slice(1)],
    ["a list of nothing", "[]"],
    ["nothing", ""],
    ["one byte more than a body may have", tooLarge],
    ["a compressed body", text, { "content-encoding": "gzip" }],
    ["another media type", text, { "content-type": "text/plain" }],
  ];
  return bodies.map(([what, body, headers = {}]): Attack => {
    const attacked = { ...sent, body, headers: { ...sent.headers, ...headers } };
    return { what: `${what}: ${route}`, sent: attacked, expected: refused };
  });
}

function valuesOf(receipt: {
  id: string;
  correlationId: string;
  aggregateType: string;
  aggregateId: string;
}): AddressValues {
  const { id, correlationId, aggregateType, aggregateId } = receipt;
  return { id, correlationId, aggregateType, aggregateId, type: `${aggregateType}.create` };
}

/** Of the route that publishes: an intent of the app. */
function bodyFor({ operation, sent }: RouteRequest, intent: object): { readonly body?: string } {
  if (operation.id === "publish") return { body: JSON.stringify(intent) };
  return sent.body === undefined ? {} : { body: String(sent.body) };
}

function keyFor({ attacker }: Scene, { route, credential }: RouteRequest): string | undefined {
  if (credential !== "bearer") return undefined;
  return isAdministration(route) ? attacker.adminKey : attacker.key;
}

function isAdministration(route: string): boolean {
  return route.includes(" /v1/admin/");
}
