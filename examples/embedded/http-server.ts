/** The application on bare node:http; a handler of Express has the same request and response. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { plane } from "./plane.js";
import { type Answer, createTeam, prepare, readTeam } from "./teams.js";

const bodyBytesMax = 65_536;

async function route(request: IncomingMessage): Promise<Answer> {
  const session = header(request, "x-session");
  const [, name, id] = (request.url ?? "").split("/");
  if (name !== "teams") return { status: 404, body: { error: "There is nothing here." } };
  if (request.method === "GET" && id !== undefined) return readTeam(session, id);
  if (request.method !== "POST") return { status: 405, body: { error: "POST a team, or GET one." } };
  const spec = await jsonOf(request);
  if (spec === undefined) return { status: 400, body: { error: "Send JSON of at most 64 KiB." } };
  return createTeam(session, header(request, "idempotency-key"), spec);
}

async function jsonOf(request: IncomingMessage): Promise<unknown> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) {
    text += chunk;
    if (text.length > bodyBytesMax) return undefined;
  }
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, body, retryAfterSeconds } = await route(request).catch((error: unknown): Answer => {
    console.error(error);
    return { status: 500, body: { error: "Something went wrong here." } };
  });
  const again = retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) };
  response.writeHead(status, { "content-type": "application/json", ...again }).end(JSON.stringify(body));
}

const server = createServer((request, response) => void serve(request, response));
await prepare();
server.listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1", () => {
  const address = server.address();
  console.log(`Listening on http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`);
});
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => server.close(() => void plane.then((open) => open.close())));
}
