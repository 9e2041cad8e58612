/** Requests as an attacker writes them: the path and the body go out as they are, nothing is tidied up. */
import { request } from "node:http";
import { EventplaneError, systemClock } from "../../kernel/index.js";

/** One request. */
export interface Sent {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** With query, percent-encoded where it must be. */
  readonly path: string;
  readonly key?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** What came back. */
export interface Got {
  readonly status: number;
  /** Without parameters; empty where there is none. */
  readonly mediaType: string;
  /** Headers and body as one text, for canaries. */
  readonly text: string;
  readonly body: string;
}

/** An event stream never ends by itself: so much of it is looked at. */
const streamMs = 300;
const answerMsMax = 20_000;
const bodyCharactersMax = 4_000_000;
const busyAttemptsMax = 20;
const busyWaitMs = 50;

/**
 * Sends it, again while the plane is busy.
 *
 * @throws EventplaneError `timeout` without an answer in 20 s; whatever the connection fails with
 */
export async function send(url: string, sent: Sent): Promise<Got> {
  for (let attempt = 1; ; attempt++) {
    const got = await sendOnce(url, sent);
    if ((got.status !== 503 && got.status !== 429) || attempt === busyAttemptsMax) return got;
    await systemClock.sleep(busyWaitMs);
  }
}

function sendOnce(url: string, { method, path, key, headers = {}, body }: Sent): Promise<Got> {
  const { hostname, port } = new URL(url);
  const credential = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const content =
    body === undefined ? {} : { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) };
  return new Promise((resolve, reject) => {
    const options = { hostname, port, method, path, headers: { ...content, ...credential, ...headers }, agent: false };
    const outgoing = request(options, (response) => {
      let text = "";
      const finish = (): void => {
        clearTimeout(cut);
        const status = response.statusCode ?? 0;
        const [mediaType = ""] = (response.headers["content-type"] ?? "").split(";", 1);
        resolve({ status, mediaType, body: text, text: `${response.rawHeaders.join("\n")}\n\n${text}` });
        response.destroy();
      };
      const isStream = response.headers["content-type"]?.startsWith("text/event-stream") === true;
      const cut = isStream ? setTimeout(finish, streamMs) : undefined;
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
        if (text.length > bodyCharactersMax) finish();
      });
      response.once("end", finish).once("error", reject);
    });
    outgoing.setTimeout(answerMsMax, () =>
      outgoing.destroy(
        new EventplaneError("timeout", `No answer to ${method} ${path.slice(0, 200)} in ${answerMsMax} ms.`),
      ),
    );
    outgoing.once("error", reject).end(body);
  });
}
