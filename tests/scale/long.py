"""The program that the tape of 100 million recorded events is of: JSON there and back, argv[1] times, five million
calls each."""

import json
import sys

for _ in range(int(sys.argv[1])):
    rows = [{"id": i, "name": "n%d" % i, "values": [i, i * 2, str(i)]} for i in range(60000)]
    back, groups = json.loads(json.dumps(rows)), {}
    for row in back:
        groups.setdefault(row["name"][:3], []).append(row["values"])
    del rows, back
