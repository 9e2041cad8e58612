/** What the demo tells: chapters, notes, and checks that count. */
import type { Terminal } from "../terminal.js";

/** Prints the demo's lines and remembers which checks failed. */
export class Report {
  readonly #terminal: Terminal;
  #chapters = 0;
  #passed = 0;
  #failed = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Checks that held so far. */
  get passed(): number {
    return this.#passed;
  }

  /** Checks that did not hold so far. */
  get failed(): number {
    return this.#failed;
  }

  /** A numbered heading. */
  async chapter(title: string): Promise<void> {
    this.#chapters += 1;
    await this.#terminal.line("");
    await this.#terminal.line(this.#terminal.bold(`${this.#chapters}. ${title}`));
  }

  /** A claim with its numbers, and whether it holds. Texts from outside must be terminal-safe already. */
  async check(holds: boolean, claim: string): Promise<void> {
    if (holds) this.#passed += 1;
    else this.#failed += 1;
    await this.#terminal.line(`   ${holds ? this.#terminal.green("✓") : this.#terminal.red("✗")} ${claim}`);
  }

  /** Something worth knowing that is no check. */
  async note(text: string): Promise<void> {
    await this.#terminal.line(`     ${this.#terminal.dim(text)}`);
  }

  /** Lines as another command printed them. */
  async quote(text: string): Promise<void> {
    for (const line of text.trimEnd().split("\n")) await this.#terminal.line(`     ${line}`);
  }

  /** A line of its own. */
  async line(text = ""): Promise<void> {
    await this.#terminal.line(text);
  }
}
