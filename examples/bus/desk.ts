/** The bus of a support desk: what a ticket is, who may hear what, and what no log may show. */
import { EventBus, type EventLogger, topic } from "eventplane/bus";

export const teams = ["billing", "returns", "technical"] as const;
export type Team = (typeof teams)[number];

const ticket = topic({
  type: "object",
  properties: {
    number: { type: "integer", minimum: 1 },
    subject: { type: "string", maxLength: 200 },
    customer: { type: "string", maxLength: 200, "x-eventplane-personal": true },
  },
  required: ["number", "subject", "customer"],
  additionalProperties: false,
});

/** Opens the desk. `log` gets what happens, without what is personal. */
export function openDesk(log: EventLogger) {
  return new EventBus({
    topics: {
      "ticket.billing": ticket,
      "ticket.returns": ticket,
      "ticket.technical": ticket,
      "file.attached": topic({ type: "object", properties: { pages: { type: "integer" } }, required: ["pages"] }),
      "chat.said": topic({ type: "object", properties: { text: { type: "string" } }, required: ["text"] }),
    },
    // The desk may hear everything; a team its own tickets, whatever it asks for; others nothing.
    authorizeSubscribe: ({ principal = "" }) => principal === "desk" || (isTeam(principal) && [`ticket.${principal}`]),
    // The desk may publish; of the world outside only the chat, which signs its messages.
    authorizePublish: ({ principal, source }) => principal === "desk" || source === "chat",
    log: { to: log, payloads: true },
  });
}

function isTeam(name: string): name is Team {
  return teams.some((team) => team === name);
}
