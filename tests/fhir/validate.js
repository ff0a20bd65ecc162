// Validates resources by R4's own definitions: a JSON array on stdin, its flaws as JSON on stdout.
const { Fhir } = require("fhir");

let text = "";
process.stdin.on("data", (chunk) => (text += chunk));
process.stdin.on("end", () => {
  const fhir = new Fhir();
  const flaws = JSON.parse(text).flatMap((resource, index) =>
    fhir
      .validate(resource, { errorOnUnexpected: true })
      .messages.filter((one) => ["error", "fatal", "warning"].includes(one.severity))
      .map((one) => ({ index, severity: one.severity, where: one.location, what: one.message })),
  );
  process.stdout.write(JSON.stringify(flaws));
});
