/** Looks at the port before anything expensive starts. */
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { EventplaneError } from "../kernel/errors.js";

/**
 * Takes the port for a moment.
 *
 * @throws EventplaneError `data_directory_in_use` when a plane on the same folder has it, `port_in_use`, `config_invalid`
 * for an address that this machine does not have or may not use
 */
export async function assertPortFree(
  address: { readonly host: string; readonly port: number },
  dataDir: string,
): Promise<void> {
  const code = await tryToListen(address);
  if (code === undefined) return;
  const { host, port } = address;
  const details = { host, port };
  if (code === "EADDRINUSE") {
    const holder = livingHolder(dataDir);
    if (holder !== undefined) {
      const message = `The data directory ${dataDir} is in use by another plane, process ${holder}. Stop that plane, or choose another folder with --data-dir and another port with --port.`;
      throw new EventplaneError("data_directory_in_use", message, { details: { dataDir, pid: holder } });
    }
    const message = `Port ${port} of ${host} is in use. Choose another one with --port, or stop what listens there.`;
    throw new EventplaneError("port_in_use", message, { details });
  }
  const message = `Cannot listen on ${host} port ${port} (${code}). Choose another address with EVENTPLANE_EDGE__HOST and --port.`;
  throw new EventplaneError("config_invalid", message, { details });
}

function tryToListen({ host, port }: { readonly host: string; readonly port: number }): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "unknown error"));
    server.listen({ host, port }, () => server.close(() => resolve(undefined)));
  });
}

/** The process that `plane.lock` names, if it lives; only to choose the words, the lock itself is the store's. */
function livingHolder(dataDir: string): number | undefined {
  try {
    const { pid } = JSON.parse(readFileSync(join(dataDir, "plane.lock"), "utf8")) as { readonly pid?: unknown };
    if (typeof pid !== "number" || !Number.isSafeInteger(pid) || pid <= 0) return undefined;
    process.kill(pid, 0);
    return pid;
  } catch {
    return undefined; // no lock, not readable, or its process is gone
  }
}
