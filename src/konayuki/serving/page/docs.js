// The OpenAPI document, made readable without a library from elsewhere.

import { make } from "./elements.js";
import { language, say, speak } from "./i18n.js";
import { call } from "./service.js";

const nameOf = (schema) => schema.$ref?.split("/").pop();

function operation(path, method, described, schemas) {
  const body = described.requestBody?.content;
  const rows = [
    ...(described.parameters ?? []).map((one) => row(one.name, one.in, one.schema ?? Object.values(one.content)[0].schema, one.required, schemas)),
    ...fieldsOf(body?.["application/json"]?.schema, schemas),
  ];
  const answer = described.responses["200"].content["application/json"].schema;
  return make(
    "section",
    { className: "operation", id: described.operationId },
    make("h2", {}, make("code", { className: `method ${method}`, textContent: method.toUpperCase() }), make("code", { textContent: path })),
    make("p", { textContent: described.summary }),
    rows.length ? make("div", { className: "scroll" }, make("table", {}, make("tbody", {}, ...rows))) : null,
    make("p", { className: "soft" }, "→ ", make("code", { textContent: nameOf(answer) }), ` · ${Object.keys(described.responses).join(" ")}`),
  );
}

function fieldsOf(schema, schemas) {
  const model = schemas[nameOf(schema ?? {})];
  if (!model) return [];
  return Object.entries(model.properties).map(([name, field]) => row(name, "body", field, model.required?.includes(name), schemas));
}

function row(name, place, schema, required, schemas) {
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, make("code", { textContent: name }), required ? "" : "?"),
    make("td", { className: "soft", textContent: place }),
    make("td", {}, make("code", { textContent: kind(schema, schemas) })),
    make("td", { textContent: [schema.description, limits(schema)].filter(Boolean).join(" ") }),
  );
}

function kind(schema, schemas) {
  if (schema.$ref) return nameOf(schema);
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (schema.anyOf) return [...new Set(schema.anyOf.map((one) => kind(one, schemas)))].join(" | ");
  if (schema.type === "array") return `${kind(schema.items ?? {}, schemas)}[]`;
  if (schema.type === "object") return "object";
  return schema.type ?? "any";
}

function limits(schema) {
  const parts = [];
  for (const [key, words] of [["minimum", "≥"], ["maximum", "≤"], ["maxLength", "characters ≤"], ["maxItems", "items ≤"]])
    if (schema[key] !== undefined) parts.push(`${words} ${schema[key]}`);
  if (schema.default !== undefined && schema.default !== null && schema.default !== "") parts.push(`= ${JSON.stringify(schema.default)}`);
  return parts.join(", ");
}

speak(language());
try {
  const document_ = await call("GET", "openapi.json");
  const sections = Object.entries(document_.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => operation(path, method, described, document_.components.schemas)),
  );
  document.getElementById("operations").replaceChildren(...sections);
} catch (error) {
  document.getElementById("status").textContent = say("failed", { why: error.message });
}
