/**
 * Vitest reporter: the run's last line is `N passed, N failed`. A file that cannot load and a stray error count as
 * failures. Tests that a filter left out count as neither.
 */
export default class ClosingLineReporter {
  onTestRunEnd(modules, errors) {
    let passed = 0;
    let failed = errors.length;
    for (const module of modules) {
      failed += module.errors().length;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === "passed") passed += 1;
        else if (state !== "skipped") failed += 1;
      }
      for (const suite of module.children.allSuites()) failed += suite.errors().length;
    }
    process.once("exit", () => process.stdout.write(`${passed} passed, ${failed} failed\n`));
  }
}
