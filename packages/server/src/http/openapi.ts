// The OpenAPI document of the HTTP door, by hand. A test holds it against the routes, and real answers against its
// schemas. Loaded with the first request for it.

import { paths } from "./openapi-paths.ts";
import { headers, responses } from "./openapi-responses.ts";
import { schemas } from "./openapi-schemas.ts";

/** The document. */
export const openApi = {
  openapi: "3.1.1",
  info: {
    title: "Tidegate",
    version: "1",
    summary: "Rate-limit decisions over HTTP",
    license: { name: "Apache-2.0", identifier: "Apache-2.0" },
  },
  tags: [
    { name: "decisions", description: "May this request pass?" },
    { name: "holding", description: "What is taken now and given back, settled or released later" },
    { name: "service", description: "The service itself" },
  ],
  paths,
  components: { schemas, responses, headers },
};

/** The document as it is sent. */
export const openApiJson = JSON.stringify(openApi);
