"""What the servers of the tests hold, and the key that one of them asks for."""

KEY = "a-key-that-is-long-enough"
FUJI = {
    "id": "fuji",
    "text": "富士山の高さは3776メートルで、日本で一番高い。",
    "title": "富士山",
    "metadata": {"lang": "ja", "year": 2024},
}
BIWA = {
    "id": "biwa",
    "text": "琵琶湖は日本で一番大きな湖である。",
    "title": "琵琶湖",
    "metadata": {"lang": "ja", "year": 2023},
}
CAT = {"id": "cat", "text": "A cat sleeps in the snow.", "metadata": {"lang": "en"}}
