/**
 * A support desk with three teams, a slow e-mail handler, a flooding source and an intruder, and what the bus did about each.
 *
 * Each line that it prints is checked first; the exit status is 1 when one does not hold.
 */
import { createHmac, randomBytes } from "node:crypto";
import { setInterval, setTimeout } from "node:timers";
import { counter, type EventLogger, hmacVerifier, signedBytes } from "eventplane/bus";
import { openDesk, type Team, teams } from "./desk.js";
import { MailServer } from "./mail-server.js";

const logged: string[] = [];
const write = (fields: object, message: string): void => void logged.push(JSON.stringify({ ...fields, message }));
const log: EventLogger = { debug: write, info: write, warn: write, error: write };

const bus = openDesk(log);
const desk = bus.emitter({ principal: "desk" });
const customerOf = (number: number): string => `customer-${number}@example.com`;
const open = (team: Team, number: number, priority: "normal" | "critical" = "normal"): string | Promise<string> =>
  desk.publish(`ticket.${team}`, { number, subject: "Help", customer: customerOf(number) }, { priority });

/** Prints what the bus did, if it did. */
function say(about: string, isTrue: boolean, text: string): void {
  if (!isTrue) process.exitCode = 1;
  console.log(`${isTrue ? "✓" : "✗"} ${about.padEnd(9)} ${text}`);
}

/** The code of the error that a call is refused with. */
async function refusal(call: () => unknown): Promise<string> {
  try {
    await call();
    return "accepted";
  } catch (error) {
    return (error as { readonly code?: string }).code ?? String(error); // the bus refuses with codes
  }
}

// Three teams. Each asks for every ticket, and is given its own.
const answered: Record<Team, number[]> = { billing: [], returns: [], technical: [] };
for (const team of teams)
  bus.on(
    "ticket.*",
    async ({ payload }) => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      answered[team].push(payload.number);
    },
    { name: team, principal: team },
  );
const opened = counter(bus, "ticket.*", { principal: "desk" });

// One e-mail for each ticket, through a server that hangs.
const mail = new MailServer();
const mailing = bus.on("ticket.*", ({ payload }) => mail.send(payload.number), {
  name: "e-mail",
  principal: "desk",
  concurrency: 5,
  timeoutMs: 50,
  breaker: { failures: 5, openMs: 1_000 },
});

console.log("A support desk: three teams, 31 tickets, one bus.\n");
for (let number = 1; number <= 30; number++) await open(teams[number % 3] ?? "billing", number);
await open("technical", 31, "critical");
for (const subscription of bus.subscriptions()) if (subscription.name !== "e-mail") await subscription.drain(5_000);
const sentWhenAnswered = mail.sent.length;
const counts = teams.map((team) => `${team} ${answered[team].length}`).join(", ");
say(
  "teams",
  teams.every((team) => answered[team].length === opened.get(`ticket.${team}`)) && answered.technical.length === 11,
  `${counts}: each was given its own tickets, though all asked for every one`,
);
const place = answered.technical.indexOf(31) + 1;
say("urgent", place > 0 && place <= 3, `the critical ticket came last and was answered as number ${place} of 11`);

// The breaker leaves the mail server alone; once it is repaired, what waited and what failed is sent.
await new Promise((resolve) => setTimeout(resolve, 150));
const { timeouts, depth, isBreakerOpen } = mailing.status();
mail.repair();
const isSent = await mailing.drain(5_000);
const redriven = await bus.deadLetters.redriveAll({ subscription: "e-mail" });
say(
  "e-mail",
  isBreakerOpen &&
    timeouts + depth === 31 &&
    sentWhenAnswered === 0 &&
    isSent &&
    redriven.done === timeouts &&
    mail.sent.length === 31 &&
    new Set(mail.sent).size === 31,
  `${timeouts} calls hung and were cut, the breaker held ${depth} back, the teams went on; repaired, all 31 went out once`,
);

// A file without end, in a thread of its own.
const scanning = bus.on(
  "file.attached",
  { isolation: "thread", module: new URL("./scan-file.js", import.meta.url), export: "scanFile" },
  { name: "scanner", principal: "desk", timeoutMs: 500 },
);
await scanning.ready();
let beats = 0;
const heart = setInterval(() => beats++, 10);
const scans: (string | undefined)[] = [];
for (const pages of [3, -1, 5]) {
  const { outcomes } = await desk.publishAndSettle("file.attached", { pages });
  scans.push(outcomes[0]?.outcome);
}
clearInterval(heart);
say(
  "scanner",
  scans.join() === "done,failed,done" && beats >= 5,
  "a file without end was cut after 500 ms with its thread, the next one was read; this thread never stood still",
);

// A chat outside that signs what it sends, and sends far too much.
const key = randomBytes(32);
const chat = bus.addSource({
  name: "chat",
  topics: ["chat.*"],
  verify: hmacVerifier(key),
  rateLimit: { perSecond: 20, burst: 20 },
});
const signed = (id: string, text: string, by = key) => {
  const message = { topic: "chat.said", id, body: JSON.stringify({ text }), sentAtMs: Date.now() };
  return { ...message, signature: createHmac("sha256", by).update(signedBytes(message, "message")).digest("hex") };
};
const captured = signed("chat-0", "hello");
const floods: string[] = [];
for (let number = 0; number < 1_000; number++) {
  floods.push(await refusal(() => chat.receive(number === 0 ? captured : signed(`chat-${number}`, "BUY NOW"))));
  if (number === 500) await open("billing", 32);
}
await bus.drain(5_000);
const limited = floods.filter((code) => code === "rate_limited").length;
say(
  "flood",
  limited >= 500 && chat.status().accepted === 1_000 - limited && answered.billing.includes(32),
  `${chat.status().accepted} of 1,000 messages of the chat were taken, ${limited} refused; a ticket of the desk went through between them`,
);

// An intruder: forges, replays, listens, publishes, and tampers.
await new Promise((resolve) => setTimeout(resolve, 200)); // until the chat may send again
const tickets = bus.statistics().accepted;
bus.on("ticket.returns", (event) => void Object.assign(event.payload, { customer: "mallory@example.com" }), {
  name: "tampering",
  principal: "desk",
});
const attempts = {
  "a forged message": await refusal(() => chat.receive(signed("chat-x", "I am the chat", randomBytes(32)))),
  "a replayed one": await refusal(() => chat.receive(captured)),
  listening: await refusal(() => bus.on("**", () => undefined, { principal: "intruder" })),
  publishing: await refusal(() => bus.publish("chat.said", { text: "hi" }, { principal: "intruder" })),
};
const { outcomes } = await desk.publishAndSettle("ticket.returns", {
  number: 33,
  subject: "Help",
  customer: customerOf(33),
});
const tampered = outcomes.find(({ subscription }) => subscription === "tampering");
say(
  "intruder",
  Object.values(attempts).join() === "unauthenticated,unauthenticated,forbidden,forbidden" &&
    tampered?.outcome === "failed" &&
    tampered.error instanceof TypeError &&
    outcomes.filter(({ outcome }) => outcome === "done").length === outcomes.length - 1 &&
    bus.statistics().accepted === tickets + 1,
  `${Object.keys(attempts).join(", ")}: refused; changing a ticket: the event is frozen, and only that handler failed`,
);

// The log says what happened, and no customer's name.
const isClosed = await bus.close();
const sample = logged.find((line) => line.includes("ticket.technical")) ?? "{}";
const { message, topic, payload } = JSON.parse(sample) as { message: string; topic: string; payload: object };
say(
  "log",
  isClosed && logged.length > 50 && !logged.some((line) => line.includes("@example.com")),
  `${logged.length} entries without one customer: ${message} ${topic} ${JSON.stringify(payload)}`,
);
