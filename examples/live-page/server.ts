/** The shop's server: it has the API key, and gives pages tokens for the one order that they show. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { build } from "esbuild";
import { createClient } from "eventplane/client";

const {
  EVENTPLANE_URL: edge = "http://127.0.0.1:8787",
  EVENTPLANE_TENANT: tenant = "default",
  EVENTPLANE_API_KEY: apiKey = "",
  PORT = "3000",
} = process.env;
const client = createClient({ baseUrl: edge, tenant, apiKey });
/** Where browsers find the edge: behind a proxy another address than the server's own. */
const edgeForPages = process.env["EDGE_FOR_PAGES"] ?? edge;

const { outputFiles } = await build({
  entryPoints: [new URL("page.tsx", import.meta.url).pathname],
  bundle: true,
  write: false,
  format: "esm",
  jsx: "automatic",
  minify: true,
  define: { "process.env.NODE_ENV": '"production"' },
});
const script = outputFiles[0]?.text ?? "";

const page = (order: string): string => `<!doctype html>
<html lang="en" data-edge="${edgeForPages}" data-tenant="${tenant}" data-order="${order}">
<meta charset="utf-8"><title>Order ${order}</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem; color: #1d2733 }
  h1 { margin: .2em 0 } button { margin-left: 1em; font: inherit } time { color: #68737f }
  .live, .away { float: right; margin: 0; padding: .1em .8em; border-radius: 1em; background: #e3f4e6; color: #14622a }
  .away { background: #fbeed5; color: #7a4a00 }
</style>
<div id="root"></div><script type="module" src="/page.js"></script>`;

interface Answer {
  readonly status?: number;
  readonly type: "text/html" | "text/javascript" | "application/json";
  readonly body: string;
}

/** A real shop looks at its session first: whose order is this? */
async function answer(request: IncomingMessage): Promise<Answer> {
  const path = request.url ?? "/";
  const [, order = "", action] = /^\/orders\/([a-z0-9-]{1,36})(?:\/(stream-token|change))?$/.exec(path) ?? [];
  if (path === "/page.js") return { type: "text/javascript", body: script };
  if (order === "") return { status: 404, type: "text/html", body: "There is nothing here." };
  if (action === undefined) return { type: "text/html", body: page(order) };
  if (request.method !== "POST") return { status: 405, type: "application/json", body: "{}" };
  if (action === "change") {
    await client.publish({ type: "order.change", aggregateId: order, spec: await specOf(request) });
    return { type: "application/json", body: "{}" };
  }
  const token = await client.mintStreamToken({
    actions: ["subscribe", "read"],
    aggregateType: "order",
    aggregateId: order,
    origin: `http://${request.headers.host ?? ""}`,
  });
  return { type: "application/json", body: JSON.stringify(token) };
}

async function specOf(request: IncomingMessage): Promise<object> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) {
    text += chunk;
    if (text.length > 1_000) throw new Error("too long");
  }
  return JSON.parse(text) as object; // the edge looks at it
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const {
    status = 200,
    type,
    body,
  } = await answer(request).catch((error: unknown): Answer => {
    console.error(error);
    return { status: 500, type: "application/json", body: "{}" };
  });
  response.writeHead(status, { "content-type": `${type}; charset=utf-8`, "cache-control": "no-store" }).end(body);
}

const server = createServer((request, response) => void serve(request, response));
server.listen(Number(PORT), "127.0.0.1", () => {
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  console.log(`Listening on http://127.0.0.1:${port}/orders/4711`);
});
process.once("SIGTERM", () => server.close(() => process.exit()));
