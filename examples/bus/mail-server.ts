/** A mail server that hangs until somebody repairs it. */
export class MailServer {
  /** Numbers of the tickets whose mails went out. */
  readonly sent: number[] = [];
  #hangs = true;

  repair(): void {
    this.#hangs = false;
  }

  /** Sends a mail, or never comes back. */
  async send(ticket: number): Promise<void> {
    if (this.#hangs) await new Promise(() => undefined);
    this.sent.push(ticket);
  }
}
