/** The page: one order, as it is now and as it came to be. */
import { createClient, type StreamTokenInfo } from "eventplane/client";
import { type ReactElement, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { useResource } from "./use-resource.js";

const { edge = "", tenant = "", order = "" } = document.documentElement.dataset;

const client = createClient({
  baseUrl: edge,
  tenant,
  streamToken: async (): Promise<StreamTokenInfo> => {
    const response = await fetch(`/orders/${order}/stream-token`, { method: "POST" });
    if (!response.ok) throw new Error(`no token: ${response.status}`);
    return (await response.json()) as StreamTokenInfo;
  },
});

/** Asks the shop, which publishes: a page has no key. */
async function change(pieces: number): Promise<void> {
  const body = JSON.stringify({ pieces });
  await fetch(`/orders/${order}/change`, { method: "POST", headers: { "content-type": "application/json" }, body });
}

function Order(): ReactElement {
  const { resource, events, isLive, error } = useResource(client, "order", order);
  const { pieces = 0, article } = (resource?.spec ?? {}) as { pieces?: number; article?: string }; // as the shop's schema says
  const { stock } = (resource?.status ?? {}) as { stock?: { reserved: number } };
  return (
    <main>
      <p className={isLive ? "live" : "away"}>
        {isLive
          ? "live"
          : error === undefined
            ? "connecting …"
            : error instanceof Error
              ? error.message
              : "something went wrong"}
      </p>
      <h1>
        {pieces} × {article}
      </h1>
      <p>
        <b data-phase={resource?.phase}>{resource?.phase ?? "not placed yet"}</b>, {stock?.reserved ?? 0} reserved
        <button type="button" disabled={resource === undefined} onClick={() => void change(pieces + 1)}>
          one more
        </button>
      </p>
      <ol>
        {events.map(({ id, version, type, recordedAt }) => (
          <li key={id} value={version} data-version={version}>
            <code>{type}</code> <time>{recordedAt.slice(11, 23)}</time>
          </li>
        ))}
      </ol>
    </main>
  );
}

const root = document.getElementById("root");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <Order />
    </StrictMode>,
  );
}
