"""Write the test vectors for ports of the runtime of a site.

    python tools/site_vectors.py [FILE]

They hold what the bundled model gives at 128 dimensions, so write them anew for another model.
"""

import json
import sys
from pathlib import Path
from typing import Any

from konayuki import StaticModel
from konayuki.search.prepared import prepared
from konayuki.search.terms import other_spellings, query_terms
from konayuki.site.model_file import site_model

FILE = Path(__file__).parents[1] / "src" / "konayuki" / "site" / "runtime" / "vectors.json"
DIM = 128
SHOWN = 8  # numbers of a vector
TEXTS = (
    "富士山の高さは何メートル？",
    "ｶﾞｷﾞｸﾞとＡＢＣ１２３",
    "國際連盟の渡邊さん",
    "引っ越しの申込み",
    "とまとジュースとデヴィッド",
    "学問のすゝめ、人々",
    "𠮷野家で🙂",
    "e\u0301\u0301 ｅ\u0301 が か\u3099",
    "改\n行と\u200b見えない文字",
    "<unk> ☃☃ \u3000 x",
    "山",
    "",
)


def vectors() -> dict[str, Any]:
    """Return the content of the file."""
    model = site_model(StaticModel.load(), DIM)
    cases = []
    for text in TEXTS:
        query = prepared(text)
        terms = query_terms(query)
        cases.append(
            {
                "text": text,
                "ids": model.tokenize([text]).ids.tolist(),
                "vector": [round(float(value), 6) for value in model.encode(text)[:SHOWN]],
                "grams": terms.grams,
                "lone": terms.lone,
                "other_spellings": other_spellings(query),
            }
        )
    return {"fingerprint": model.fingerprint, "dim": DIM, "cases": cases}


def main() -> None:
    """Write the file."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    path.write_text(json.dumps(vectors(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
