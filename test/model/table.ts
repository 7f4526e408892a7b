// Prints what the scenarios in which nothing goes wrong measure. Started by `npm run model -- table`.

import { runModel } from "./run-model.ts";
import { OVERLOADED, UNDERLOADED } from "./steady.ts";

/** Prints the table. */
export async function printTable(seed: number): Promise<void> {
  console.log(
    "scenario | admitted ÷ ideal | after 2 s | Jain | least part | denied | calls | key updates",
  );
  for (const scenario of [...OVERLOADED, ...UNDERLOADED]) {
    const result = await runModel(scenario, seed);
    const share = (of: number) => `${((100 * of) / result.requests).toFixed(2)} %`;
    const numbers = [
      (result.admitted / result.ideal).toFixed(4),
      (result.laterAdmitted / result.laterIdeal).toFixed(4),
      result.fairness.toFixed(4),
      result.leastPart.toFixed(3),
      share(result.denied),
      share(result.calls),
      share(result.works),
    ];
    console.log([scenario.name, ...numbers].join(" | "));
    for (const wrong of result.wrong) console.log(`  ${wrong}`);
  }
}
