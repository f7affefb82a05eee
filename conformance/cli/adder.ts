/** Files of a package whose model needs nothing but Python: it adds, and fails on request. */
export const ADDER = {
  'add/interface.py': `class Adder:
    def predict(self, rows):
        rows = rows.to_dict("records") if hasattr(rows, "to_dict") else rows
        if any(row["a"] == 13 for row in rows):
            raise RuntimeError("thirteen")
        return [row["a"] + row["b"] for row in rows]


def load_model():
    return Adder()
`,
  'add/metadata.yaml': `name: add
input_features:
- {name: a, type: float}
- {name: b, type: float}
output:
- {name: sum, type: float}
`,
};
