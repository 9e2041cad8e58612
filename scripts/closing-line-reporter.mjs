/**
 * Vitest reporter: the run's last line is `N passed, N failed`, after the names of the tests that passed only when they were tried
 * again. A file that cannot load and a stray error count as failures. Tests that a filter left out count as neither.
 */
export default class ClosingLineReporter {
  onTestRunEnd(modules, errors) {
    let passed = 0;
    let failed = errors.length;
    const again = [];
    for (const module of modules) {
      failed += module.errors().length;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === "passed") passed += 1;
        else if (state !== "skipped") failed += 1;
        if (test.diagnostic()?.flaky === true) again.push(`${module.relativeModuleId} > ${test.fullName}`);
      }
      for (const suite of module.children.allSuites()) failed += suite.errors().length;
    }
    process.once("exit", () => {
      for (const name of again) process.stdout.write(`passed at the second try: ${name}\n`);
      process.stdout.write(`${passed} passed, ${failed} failed\n`);
    });
  }
}
