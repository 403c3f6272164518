-- 欠品した商品を、最後に入荷した日の古い順に並べる
SELECT item, max(arrived) FROM stock WHERE amount = 0 GROUP BY item ORDER BY 2;
